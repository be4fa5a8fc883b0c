"""Replay takes what may be answered, by an allow list, and nothing else."""

import ast
from pathlib import Path

import pytest
from django.utils import timezone

from channels_app.ignored import NEVER_REPLAYED, REPLAYABLE, IgnoredReason
from channels_app.models import InboundMessage
from conversations import replay
from simulator.webhooks import Customer, whatsapp_message
from tests.factories import CustomerFactory, InboundMessageFactory, MessageFactory

PROJECT = Path(__file__).parent.parent.parent
ROOMS = ("agents", "billing", "channels_app", "conversations", "extraction")


@pytest.fixture
def customer(db, valkey):
    return CustomerFactory()


def ignored(customer, reason, **changes) -> InboundMessage:
    payload = {"id": "wamid.1", "type": "text", "from": "12025550143", "text": {"body": "Now readable"}}
    return InboundMessageFactory(
        **{
            "customer": customer,
            "status": "ignored",
            "reason": reason,
            "payload": payload,
            "text": "",
            **changes,
        }
    )


def waits_after_replay(row: InboundMessage) -> bool:
    replay.inbound(InboundMessage.objects.filter(pk=row.pk))
    row.refresh_from_db()
    return row.status == "pending"


class TestReasons:
    @pytest.mark.parametrize("reason", IgnoredReason)
    def test_each_reason_is_either_replayable_or_not(self, reason):
        assert (reason in REPLAYABLE) != (reason in NEVER_REPLAYED)

    def test_no_reason_is_written_as_a_literal(self):
        """Every reason to ignore a message is a member of IgnoredReason."""
        found = [
            f"{path.relative_to(PROJECT)}:{node.lineno}"
            for room in ROOMS
            for path in Path(PROJECT, room).rglob("*.py")
            if "migrations" not in path.parts
            for node in ast.walk(ast.parse(path.read_text()))
            if _is_literal_reason(node)
        ]

        assert found == []

    def test_messages_are_ignored_only_where_the_reasons_are_known(self):
        writers = {
            str(path.relative_to(PROJECT))
            for room in ROOMS
            for path in Path(PROJECT, room).rglob("*.py")
            if "migrations" not in path.parts and _sets_ignored(path.read_text())
        }

        assert writers == {
            "channels_app/erasing.py",
            "channels_app/inbox.py",
            "channels_app/taken_back.py",
            "conversations/answering/append_messages.py",
        }


def _is_literal_reason(node: ast.AST) -> bool:
    """Check for `ignored="words"`, as an argument or as a variable."""
    is_argument = isinstance(node, ast.keyword) and node.arg == "ignored"
    is_variable = isinstance(node, ast.Assign) and any(
        getattr(at, "id", "") == "ignored" for at in node.targets
    )
    if not (is_argument or is_variable):
        return False
    constants = [one.value for one in ast.walk(node.value) if isinstance(one, ast.Constant)]
    return any(isinstance(value, str) and value for value in constants)


def _sets_ignored(text: str) -> bool:
    return any(
        words in text
        for words in (
            "THEN 'ignored'",
            "= 'ignored'",
            "update(status=InboundMessage.Status.IGNORED",
            '"ignored" if',
        )
    )


class TestReplay:
    @pytest.mark.parametrize("reason", sorted(NEVER_REPLAYED))
    def test_leaves_alone_what_nobody_waits_for(self, customer, reason):
        assert not waits_after_replay(ignored(customer, reason))

    def test_leaves_alone_a_reason_it_does_not_know(self, customer):
        assert not waits_after_replay(ignored(customer, "a reason of the next version"))

    @pytest.mark.parametrize("reason", sorted(REPLAYABLE))
    def test_reads_again_what_could_not_be_read(self, customer, reason):
        row = ignored(customer, reason)

        assert waits_after_replay(row)
        assert row.text == "Now readable"

    def test_leaves_alone_a_message_without_a_customer(self, customer):
        row = ignored(customer, IgnoredReason.EMPTY_TEXT)
        InboundMessage.objects.filter(pk=row.pk).update(customer=None)

        assert not waits_after_replay(row)

    def test_leaves_alone_a_message_of_our_own_number(self, customer):
        number = customer.phone_number
        own = whatsapp_message_of(number.external_number.lstrip("+"))

        assert not waits_after_replay(ignored(customer, IgnoredReason.EMPTY_TEXT, payload=own))

    @pytest.mark.parametrize("status", ["failed", "rejected"])
    def test_has_what_was_not_answered_wait_again(self, customer, status):
        row = InboundMessageFactory(customer=customer, status=status)

        assert waits_after_replay(row)
        assert not waits_after_replay_twice(row)

    @pytest.mark.parametrize("status", ["failed", "rejected"])
    def test_leaves_alone_a_message_that_was_taken_back(self, customer, status):
        row = InboundMessageFactory(customer=customer, status=status)
        MessageFactory(
            conversation__customer=customer, author="customer", inbound=row, deleted_at=timezone.now()
        )

        assert not replay.is_replayable(row)
        assert not waits_after_replay(row)


def waits_after_replay_twice(row: InboundMessage) -> bool:
    return replay.inbound(InboundMessage.objects.filter(pk=row.pk)).messages == 1


def whatsapp_message_of(sender: str) -> dict:
    return whatsapp_message(
        "text", {"body": "to myself"}, customer=Customer(wa_id=sender), message_id="wamid.own"
    )
