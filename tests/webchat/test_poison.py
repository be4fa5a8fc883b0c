"""A visitor's message that cannot be stored becomes a dead letter, and is stored by a replay."""

import json

import pytest
from django.utils import timezone

from channels_app import ingest, spool
from channels_app.models import DeadLetter, InboundMessage
from conversations import replay
from tests.channels_app import poison
from tests.webchat.browser_calls import Browser
from tests.webchat.server_calls import post_signed, server_message

KINDS = ("poison-23505", "late-23514", "poison-22001", "poison-XX000", "poison-54000", "late-P0001")


@pytest.fixture(autouse=True)
def _triggers(transactional_db, chat):
    ingest.postgres.succeeded()
    with poison.triggers():
        yield


def texts() -> list[str]:
    return list(InboundMessage.objects.order_by("id").values_list("text", flat=True))


def by_browser(chat, message_id: str, text: str) -> int:
    return Browser(chat).begin().write(text, message_id=message_id).status_code


def by_server(chat, message_id: str, text: str) -> int:
    return post_signed(
        server_message(chat, message_id=message_id, message_text=text), chat.new_secret
    ).status_code


@pytest.mark.parametrize(("write", "accepted"), [(by_browser, 202), (by_server, 200)])
class TestMessageOfAVisitor:
    def test_that_cannot_be_stored_is_accepted_and_becomes_a_dead_letter(self, chat, write, accepted):
        statuses = [write(chat, kind, kind) for kind in KINDS]
        statuses.append(write(chat, "message-1", "good"))

        assert statuses == [accepted] * (len(KINDS) + 1)
        assert texts() == ["good"]
        assert spool.first() is None
        letters = DeadLetter.objects.order_by("id")
        assert [json.loads(bytes(letter.raw))["text"] for letter in letters] == list(KINDS)
        assert {(letter.source, letter.phone_number_id) for letter in letters} == {(spool.WEBCHAT, chat.pk)}

    def test_is_stored_once_by_a_replay_when_the_cause_is_gone(self, chat, write, accepted):
        write(chat, "poison-23505", "late")
        poison.drop_triggers()

        first = replay.between(DeadLetter.objects.get().received_at, timezone.now(), phone_number_id=chat.pk)
        again = replay.dead_letters(DeadLetter.objects.all())

        assert (first.dead_letters, again.dead_letters) == (1, 0)
        assert texts() == ["late"]
        assert InboundMessage.objects.get().status == "pending"
