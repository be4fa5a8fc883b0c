"""Each part of a reply is posted once."""

import time
import uuid
from collections.abc import Iterator

import pytest

from billing.models import Credit, CreditEntry
from channels_app.models import PhoneNumber
from conversations import leases
from conversations.answering import store
from conversations.answering.open_turn import OpenTurn
from conversations.leases import LeaseLostError
from conversations.models import Delivery, Message, Turn
from tests.conversations import answering
from tests.conversations.test_outbox import LONG, claimed, lose


@pytest.fixture
def turn(graph, transactional_db, valkey) -> Iterator[OpenTurn]:
    """A turn whose reply has three parts."""
    turn = claimed()
    answering.store_reply(turn, text=LONG * 3)
    with leases.held(turn.lease_token):
        yield turn


def deliver(turn: OpenTurn) -> None:
    with leases.held(turn.lease_token):
        answering.deliver(turn)


def states() -> list[str]:
    return list(Delivery.objects.order_by("part").values_list("state", flat=True))


def balance() -> int:
    return Credit.objects.get().remaining_credits


def finish(turn, delivery, *outcome) -> None:
    answering.finish(turn, delivery, *outcome)


class TestDeliver:
    def test_posts_the_parts_in_order_and_ends_the_turn(self, graph, turn):
        deliver(turn)

        posts = graph.requests(api="graph")
        deliveries = Delivery.objects.order_by("part")
        assert [post["body"]["text"]["body"] for post in posts] == [d.text for d in deliveries]
        assert [post["body"]["biz_opaque_callback_data"] for post in posts] == [d.pk for d in deliveries]
        assert all(
            d.provider_message_id in post["provider_ids"] for d, post in zip(deliveries, posts, strict=True)
        )
        assert states() == ["sent"] * 3
        assert Message.objects.get(author="ai").status == "sent"
        assert Turn.objects.get().state == "done"

    def test_when_one_part_fails_cancels_the_rest_and_gives_the_credit_back(self, graph, turn):
        graph.behave(graph={"script": [{"delay": 0}, {"code": 131047}]})

        deliver(turn)

        assert states() == ["sent", "failed", "cancelled"]
        assert len(graph.requests(api="graph")) == 2
        reply = Message.objects.get(author="ai")
        assert reply.status == "failed"
        assert reply.failure_reason.startswith("131047: ")
        assert balance() == 10
        assert CreditEntry.objects.filter(kind="refund").count() == 1

    def test_of_unknown_outcome_is_not_repeated_and_keeps_the_charge(self, graph, turn):
        graph.behave(graph={"script": [{"drop_after_accept": True}]})

        deliver(turn)

        assert states() == ["unknown", "sent", "sent"]
        assert len(graph.requests(api="graph")) == 3
        assert Message.objects.get(author="ai").status == "unknown"
        assert (balance(), Turn.objects.get().state) == (9, "done")

    def test_sends_only_what_was_not_sent(self, graph, turn):
        Delivery.objects.filter(part=1).update(state="sent")
        Delivery.objects.filter(part=2).update(state="unknown")

        deliver(turn)

        assert len(graph.requests(api="graph")) == 1
        assert states() == ["sent", "unknown", "sent"]

    def test_of_a_fallback_ends_the_turn_as_failed(self, graph, transactional_db, valkey):
        turn = claimed(fallback_message="Please try later.")
        store.store_failure(turn, "model: 500")

        deliver(turn)

        row = Turn.objects.get()
        assert (states(), row.state, row.error) == (["sent"], "failed", "model: 500")
        said = dict(Message.objects.values_list("author", "status"))
        assert said == {"customer": "failed", "ai": "sent"}

    def test_of_a_fallback_that_fails_gives_the_credit_back_once(self, graph, transactional_db, valkey):
        graph.behave(graph={"script": [{"code": 131026}]})
        turn = claimed(fallback_message="Please try later.")
        store.store_failure(turn, "model: 500")

        deliver(turn)

        assert balance() == 10
        assert CreditEntry.objects.filter(kind="refund").count() == 1

    @pytest.mark.parametrize("token", ["", "v1.00000000.AAAA"])
    def test_with_a_token_nobody_can_read_fails(self, graph, turn, token):
        PhoneNumber.objects.update(access_token=token)

        deliver(turn)

        assert states() == ["failed", "cancelled", "cancelled"]
        assert graph.requests(api="graph") == []
        assert balance() == 10

    @pytest.mark.parametrize("token", ["tok\u2026en", "token\n"])
    def test_with_a_token_no_header_can_hold_fails(self, graph, turn, token):
        number = PhoneNumber.objects.get()
        number.set_access_token(token)
        number.save()

        deliver(turn)

        assert states() == ["failed", "cancelled", "cancelled"]
        assert balance() == 10

    def test_in_a_web_chat_posts_nothing(self, graph, transactional_db, valkey):
        turn = claimed(phone_number__type="webchat", phone_number__access_token="")
        answering.store_reply(turn, text="Hi")

        deliver(turn)

        assert states() == ["sent"]
        assert graph.requests(api="graph") == []
        assert balance() == 9


class TestLease:
    def test_that_is_lost_sends_nothing(self, graph, turn):
        lose(turn)

        with pytest.raises(LeaseLostError):
            deliver(turn)

        assert graph.requests(api="graph") == []
        assert states() == ["pending"] * 3
        assert Turn.objects.get().state == "answered"

    def test_past_its_deadline_sends_nothing(self, graph, turn):
        turn.deadline = time.monotonic() - 1

        with pytest.raises(LeaseLostError):
            deliver(turn)

        assert graph.requests(api="graph") == []

    def test_that_is_lost_while_sending_leaves_the_delivery_to_its_new_holder(self, turn):
        delivery = answering.begin(turn)
        lose(turn)
        Delivery.objects.filter(part=1).update(lease_token=uuid.uuid4(), state="unknown")

        finish(turn, delivery, "sent", "wamid.1")

        assert states() == ["unknown", "pending", "pending"]


class TestStatusBeforeTheAnswer:
    @pytest.mark.parametrize("told", ["sent", "delivered", "read"])
    def test_is_not_taken_back(self, turn, told):
        delivery = answering.begin(turn)
        Delivery.objects.filter(part=1).update(state=told, provider_message_id="wamid.told")

        finish(turn, delivery, "sent", "wamid.answered")

        part = Delivery.objects.get(part=1)
        assert (part.state, part.provider_message_id) == (told, "wamid.told")

    def test_proves_a_send_whose_answer_was_lost(self, turn):
        delivery = answering.begin(turn)
        Delivery.objects.filter(part=1).update(state="delivered", provider_message_id="wamid.told")

        finish(turn, delivery, "unknown", None, "no_answer")

        assert Delivery.objects.get(part=1).state == "delivered"
        assert balance() == 9


class TestBeginSending:
    def test_commits_sending_before_a_byte_leaves(self, turn):
        answering.begin(turn)

        part = Delivery.objects.get(part=1)
        assert (part.state, str(part.lease_token)) == ("sending", turn.lease_token)
        assert part.sending_at is not None
        assert part.lease_expires_at > part.sending_at

    def test_takes_each_part_once(self, turn):
        taken = set()
        for _ in range(3):
            delivery = answering.begin(turn)
            taken.add(delivery.delivery_id)
            finish(turn, delivery, "unknown", None, "no_answer")

        assert len(taken) == 3
        assert answering.begin(turn) is None

    def test_takes_one_again_whose_commit_broke_after_all(self, turn):
        first = answering.begin(turn)

        assert answering.begin(turn).delivery_id == first.delivery_id
