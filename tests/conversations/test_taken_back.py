"""A message that its customer takes back leaves no words behind, whenever the revoke comes."""

import importlib
import json
from datetime import UTC, datetime

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from channels_app import inbox
from channels_app.meta.types import Event, Inbound, Media, Parsed, Person
from channels_app.models import ChannelEvent, InboundMessage
from conversations import events, replay
from conversations.models import Message
from tests.factories import CustomerFactory, InboundMessageFactory, MessageFactory, PhoneNumberFactory

SECRET = "my card is 4111"
NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture
def number(transactional_db, valkey):
    return PhoneNumberFactory()


def wrote(number) -> Inbound:
    return Inbound(
        phone_number_id=number.pk, provider_message_id="wamid.1", person=Person(wa_id="12025550143"),
        kind="text", text=SECRET, payload={"text": {"body": SECRET}}, sent_at=NOW, context=SECRET,
        media=(Media(kind="image", media_id=SECRET),),
    )  # fmt: skip


def about(number, kind, **data) -> Event:
    return Event(
        phone_number_id=number.pk, kind=kind, key=f"{kind} {data}", payload={"said": SECRET, **data},
        occurred_at=NOW, provider_message_id="wamid.1", data=data,
    )  # fmt: skip


def apply() -> None:
    ChannelEvent.objects.filter(applied_at=None).update(apply_after=timezone.now())
    events.apply()


def words_left() -> str:
    """Return what the tables still hold of it; a revoke itself holds ids only."""
    tables = (InboundMessage.objects.values(), Message.objects.values())
    edits = ChannelEvent.objects.filter(kind="edit").values()
    return json.dumps([list(rows) for rows in (*tables, edits)], default=str)


class TestRevoke:
    def test_after_the_message_wipes_it(self, number):
        inbox.store(Parsed(inbound=[wrote(number)]))
        inbox.store(Parsed(events=[about(number, "revoke")]))
        apply()

        row = InboundMessage.objects.get()
        assert (row.status, row.reason) == ("ignored", "taken back")
        assert SECRET not in words_left()

    def test_before_the_message_wipes_it(self, number):
        inbox.store(Parsed(events=[about(number, "revoke")]))
        apply()
        inbox.store(Parsed(inbound=[wrote(number)]))

        row = InboundMessage.objects.get()
        assert (row.status, row.reason) == ("ignored", "taken back")
        assert SECRET not in words_left()
        apply()
        assert ChannelEvent.objects.get().outcome == "applied"

    def test_in_the_same_webhook_wipes_it(self, number):
        inbox.store(Parsed(inbound=[wrote(number)], events=[about(number, "revoke")]))

        assert InboundMessage.objects.get().status == "ignored"
        assert SECRET not in words_left()

    def test_wipes_edits_before_and_after_it(self, number):
        inbox.store(Parsed(inbound=[wrote(number)], events=[about(number, "edit", text=SECRET)]))
        apply()
        inbox.store(Parsed(events=[about(number, "revoke")]))
        apply()
        inbox.store(Parsed(events=[about(number, "edit", text=SECRET + "!")]))
        apply()

        assert SECRET not in words_left()

    def test_is_not_undone_when_the_message_is_delivered_again(self, number):
        inbox.store(Parsed(inbound=[wrote(number)]))
        inbox.store(Parsed(events=[about(number, "revoke")]))
        apply()

        inbox.store(Parsed(inbound=[wrote(number)]))

        assert SECRET not in words_left()

    @pytest.mark.parametrize("status", ["processing", "done", "failed", "rejected"])
    def test_wipes_a_message_of_the_conversation_with_its_files(self, number, status, tmp_path, settings):
        settings.MEDIA_ROOT = tmp_path
        name = default_storage.save("1/a.png", ContentFile(b"picture"))
        customer = CustomerFactory(phone_number=number)
        row = InboundMessageFactory(
            customer=customer, provider_message_id="wamid.1", status=status, text=SECRET,
            payload={"text": SECRET}, context=SECRET,
        )  # fmt: skip
        MessageFactory(
            conversation__customer=customer, author="customer", inbound=row, text=SECRET, context=SECRET,
            provider_message_id="wamid.1", media=[{"kind": "image", "name": name, "transcript": SECRET}],
        )  # fmt: skip

        inbox.store(Parsed(events=[about(number, "revoke")]))
        apply()

        assert SECRET not in words_left()
        assert not default_storage.exists(name)
        assert replay.inbound(InboundMessage.objects.all()).messages == 0

    def test_of_another_numbers_message_touches_nothing(self, number):
        inbox.store(Parsed(inbound=[wrote(number)]))
        inbox.store(Parsed(events=[about(PhoneNumberFactory(), "revoke")]))
        apply()

        assert InboundMessage.objects.get().text == SECRET


class TestUpgrade:
    def test_wipes_existing_rows_and_ignores_strays(self, number):
        customer = CustomerFactory(phone_number=number)
        held = {"customer": customer, "text": SECRET, "payload": {"text": SECRET}, "context": SECRET}
        early = InboundMessageFactory(**held, status="ignored", reason="taken back")
        said = InboundMessageFactory(**held, status="done")
        MessageFactory(
            conversation__customer=customer, author="customer", inbound=said, text="", deleted_at=NOW
        )
        kept = InboundMessageFactory(**held, status="done")
        stray = InboundMessageFactory(customer=customer, status="pending")
        InboundMessage.objects.filter(pk=stray.pk).update(customer=None)

        migration = importlib.import_module("conversations.migrations.0011_wipe_taken_back_and_mark_unknown")
        migration.forward(None, None)

        rows = {row.pk: row for row in InboundMessage.objects.all()}
        assert [rows[row.pk].payload for row in (early, said)] == [{}, {}]
        assert (rows[early.pk].text, rows[said.pk].text, rows[kept.pk].text) == ("", "", SECRET)
        assert (rows[stray.pk].status, rows[stray.pk].reason) == ("ignored", "from ourselves")
