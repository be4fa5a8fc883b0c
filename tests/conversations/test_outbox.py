"""A reply is stored before it is sent."""

import uuid

import pytest
from django.utils import timezone

from billing.models import Credit, CreditEntry
from channels_app.senders import whatsapp
from conversations import statuses
from conversations.answering import send, store
from conversations.answering.open_turn import OpenTurn
from conversations.leases import LeaseLostError
from conversations.models import Conversation, Delivery, Message, Turn
from tests.conversations import answering
from tests.factories import AgentFactory, InboundMessageFactory

LONG = ("word " * 700).strip() + ". "


def claimed(**agent) -> OpenTurn:
    """Claim a turn for a customer who wrote once."""
    message = InboundMessageFactory(customer__phone_number=AgentFactory(**agent).phone_number)
    turn = answering.claim(message.phone_number_id)
    assert turn is not None
    return turn


def lose(turn: OpenTurn) -> None:
    """Let somebody else have taken the turn over."""
    Turn.objects.filter(pk=turn.turn_id).update(lease_token=uuid.uuid4())


class TestStoreReply:
    def test_keeps_the_reply_and_a_delivery(self, db):
        turn = claimed()

        answering.store_reply(turn, text="Hi there", response_id="resp_1", tokens_used=12)

        [reply] = Message.objects.filter(author="ai")
        assert (reply.text, reply.status, reply.sender) == ("Hi there", "pending", "agent")
        assert (reply.turn_id, reply.sequence_no) == (turn.turn_id, 2)
        assert (reply.openai_response_id, reply.tokens_used) == ("resp_1", 12)
        [delivery] = Delivery.objects.all()
        assert (delivery.message, delivery.text, delivery.state) == (reply, "Hi there", "pending")
        assert (delivery.attempt, delivery.part) == (1, 1)
        row = Turn.objects.get()
        assert (turn.state, row.state, row.answered_at is None) == ("answered", "answered", False)
        assert Conversation.objects.get().last_sequence_no == 2

    def test_splits_what_is_too_long_for_one_post(self, db):
        turn = claimed()

        answering.store_reply(turn, text=LONG * 3)

        parts = Delivery.objects.order_by("part")
        assert [part.part for part in parts] == [1, 2, 3]
        assert all(0 < len(part.text) <= whatsapp.MAX_LENGTH for part in parts)
        assert " ".join(part.text for part in parts).split() == (LONG * 3).split()
        assert Message.objects.filter(author="ai").count() == 1

    def test_is_refused_when_the_lease_is_lost(self, db):
        turn = claimed()
        lose(turn)

        with pytest.raises(LeaseLostError):
            answering.store_reply(turn, text="Hi")

        assert not Delivery.objects.exists()
        assert not Message.objects.filter(author="ai").exists()
        assert (turn.state, Turn.objects.get().state) == ("claimed", "claimed")

    def test_is_refused_the_second_time(self, db):
        turn = claimed()
        answering.store_reply(turn, text="Hi")

        with pytest.raises(LeaseLostError):
            answering.store_reply(turn, text="Hi again")

        assert Delivery.objects.get().text == "Hi"


class TestStoreFailure:
    def test_stores_the_fallback_and_gives_the_credit_back(self, db):
        turn = claimed(fallback_message="Please try later.")

        store.store_failure(turn, "model: 500")

        assert Delivery.objects.get().text == "Please try later."
        assert Turn.objects.get().error == "model: 500"
        assert turn.state == "answered"
        assert Credit.objects.get().remaining_credits == 10
        assert CreditEntry.objects.get(kind="refund").reason == "model: 500"

    @pytest.mark.parametrize("fallback", ["", "  \n"])
    def test_without_a_fallback_ends_the_turn(self, db, fallback):
        turn = claimed(fallback_message=fallback)

        store.store_failure(turn, "model: 500")

        row = Turn.objects.get()
        assert (turn.state, row.state, row.error) == ("failed", "failed", "model: 500")
        assert not Delivery.objects.exists()
        assert Message.objects.get().status == "failed"
        assert Credit.objects.get().remaining_credits == 10

    @pytest.mark.parametrize("fallback", ["", "Please try later."])
    def test_is_refused_when_the_lease_is_lost(self, db, fallback):
        turn = claimed(fallback_message=fallback)
        lose(turn)

        with pytest.raises(LeaseLostError):
            store.store_failure(turn, "model: 500")

        assert Turn.objects.get().state == "claimed"
        assert Credit.objects.get().remaining_credits == 9

    def test_uses_the_fallback_the_turn_was_claimed_with(self, db):
        turn = claimed(fallback_message="Before")
        Conversation.objects.get().agent.__class__.objects.update(fallback_message="After")

        store.store_failure(turn, "x")

        assert Delivery.objects.get().text == "Before"


class TestGiveUpSending:
    def answered(self, *states: str) -> OpenTurn:
        turn = claimed()
        answering.store_reply(turn, text=LONG * len(states))
        for part, state in enumerate(states, start=1):
            Delivery.objects.filter(part=part).update(state=state)
        return turn

    def test_marks_what_a_dead_holder_was_sending_as_unknown(self, db):
        turn = self.answered("sent", "sending", "pending")

        send.give_up_sending(turn)

        states = Delivery.objects.order_by("part").values_list("state", flat=True)
        assert list(states) == ["sent", "unknown", "pending"]
        assert Delivery.objects.get(part=2).error

    def test_is_refused_when_the_lease_is_lost(self, db):
        turn = self.answered("sending")
        lose(turn)

        with pytest.raises(LeaseLostError):
            send.give_up_sending(turn)

        assert Delivery.objects.get().state == "sending"

    def test_touches_no_other_turn(self, db):
        other = self.answered("sending")
        mine = claimed()
        answering.store_reply(mine, text="Hi")

        send.give_up_sending(mine)

        assert Delivery.objects.get(message__turn_id=other.turn_id).state == "sending"


class TestRefresh:
    @pytest.mark.parametrize(
        ("states", "status"),
        [
            (["pending", "pending"], "pending"),
            (["sent", "pending"], "pending"),
            (["sent", "unknown"], "unknown"),
            (["pending", "unknown"], "pending"),
            (["failed", "unknown"], "failed"),
            (["sent", "delivered"], "sent"),
            (["read", "delivered"], "delivered"),
            (["read", "read"], "read"),
            (["read", "failed"], "failed"),
            (["failed", "cancelled"], "failed"),
        ],
    )
    def test_gives_a_message_the_status_of_its_least_part(self, db, states, status):
        answering.store_reply(claimed(), text=LONG * 2)
        for part, state in enumerate(states, start=1):
            Delivery.objects.filter(part=part).update(state=state, error=f"{part}: {state}")
        reply = Message.objects.get(author="ai")

        statuses.refresh([reply.message_id])

        reply.refresh_from_db()
        assert reply.status == status
        assert (reply.failed_at is None) == (status != "failed")
        assert (reply.unknown_at is None) == (status != "unknown")
        assert (reply.failure_reason == "") == (status not in {"failed", "unknown"})

    def test_goes_by_the_newest_attempt(self, db):
        answering.store_reply(claimed(), text="Hi")
        first = Delivery.objects.get()
        Delivery.objects.update(state="failed", error="refused")
        statuses.refresh([first.message_id])
        Delivery.objects.create(
            message=first.message, phone_number=first.phone_number, attempt=2, text="Hi", state="sent",
            updated_at=timezone.now(),
        )  # fmt: skip

        statuses.refresh([first.message_id])

        reply = Message.objects.get(author="ai")
        assert (reply.status, reply.failure_reason, reply.failed_at) == ("sent", "", None)
