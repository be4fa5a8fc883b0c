"""The story of a message, read from rows; through the real processes in tests/journeys/test_trace.py."""

import json
import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.utils import InternalError
from django.utils import timezone

from billing import events, ledger
from billing.models import Event, WebhookDelivery
from channels_app.models import ChannelEvent, DeadLetter
from config.lib import ids, sql
from conversations.models import Turn
from conversations.tracing import queries, story
from tests.factories import (
    CreditFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    MessageFactory,
    TurnFactory,
    WebhookEndpointFactory,
)

PHONE = "12025550143"
WAMID = "wamid.HBgLMTIwMjU1NTAxNDMVAgASGBQzQTRB"

pytestmark = pytest.mark.django_db(transaction=True)


def trace(identifier: object, **options: bool) -> str:
    written = StringIO()
    call_command("trace", str(identifier), stdout=written, **options)
    return written.getvalue()


@pytest.fixture
def answered():
    """A message with its turn and its reply, which was sent."""
    delivery = DeliveryFactory(
        state="sent", provider_message_id="wamid.reply00000001", sending_at=timezone.now()
    )
    turn = delivery.message.turn
    correlation_id = ids.new("cor")
    Turn.objects.filter(pk=turn.pk).update(
        state="done", closed_at=timezone.now(), answered_at=timezone.now(),
        snapshot={**turn.snapshot, "correlation_id": correlation_id},
    )  # fmt: skip
    delivery.inbound = InboundMessageFactory(
        customer=turn.customer, provider_message_id=WAMID, correlation_id=correlation_id, turn_id=turn.pk,
        status="done", text="Secret words",
    )  # fmt: skip
    type(turn.customer).objects.filter(pk=turn.customer_id).update(wa_id=PHONE)
    MessageFactory(
        conversation=turn.conversation, turn=turn, author="customer", inbound=delivery.inbound,
        provider_message_id=WAMID, status="delivered", text="Secret words",
    )  # fmt: skip
    return delivery


class TestIdentifiers:
    def test_every_accepted_one_leads_to_the_same_story(self, answered):
        inbound = answered.inbound
        told = {
            trace(identifier)
            for identifier in (
                inbound.correlation_id, inbound.pk, inbound.message.pk, answered.message_id, answered.pk,
                answered.message.turn_id, WAMID, answered.provider_message_id,
            )
        }  # fmt: skip

        assert len(told) == 1
        assert answered.message.turn_id in told.pop()

    def test_of_a_status_webhook_leads_to_the_message_it_was_about(self, answered):
        status_id = ids.new("cor")
        ChannelEvent.objects.create(
            phone_number_id=answered.phone_number_id, kind="status", event_key="x", payload={},
            provider_message_id=answered.provider_message_id, occurred_at=timezone.now(),
            applied_at=timezone.now(), outcome="applied", correlation_id=status_id,
        )  # fmt: skip

        assert answered.message_id in trace(status_id)

    @pytest.mark.parametrize(
        "unknown", ["nothing", "", "msg_none", "trn_none", "dlv_none", "4711", "9" * 30, "cor_none", "٣",
                    "wamid.none", "cor_01KB2T7M3G5Q8R9S0T1V2W3X4Y", "evt_none"],
    )  # fmt: skip
    def test_unknown_ones_are_refused_with_what_is_accepted(self, answered, unknown):
        with pytest.raises(CommandError) as refused:
            trace(unknown)

        for accepted in ("cor_…", "msg_…", "trn_…", "dlv_…", "inbound_messages", "wamid.…"):
            assert accepted in str(refused.value)


class TestPrivacy:
    def test_phone_numbers_and_texts_are_printed_only_where_wanted(self, answered):
        for options in ({}, {"json": True}):
            told = trace(answered.message_id, **options)
            assert [
                word for word in (PHONE, "Secret words", answered.message.text, WAMID) if word in told
            ] == []
            told = trace(answered.message_id, show_text=True, **options)
            assert [word for word in (PHONE, "Secret words", answered.message.text) if word not in told] == []


class TestSteps:
    def test_are_in_the_order_of_time_and_the_same_in_json(self, answered):
        steps = json.loads(trace(answered.message_id, json=True))["steps"]

        assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
        assert {"message.received", "turn.claimed", "reply.stored", "delivery.posted", "turn.ended"} <= {
            step["event"] for step in steps
        }

    @pytest.mark.parametrize(
        ("columns", "sentence"),
        [
            ({"status": "ignored", "reason": "group message"}, "ignored: group message."),
            ({"status": "pending"}, "still waits for a turn, due at"),
        ],
    )
    def test_of_a_message_without_a_turn_say_why(self, columns, sentence):
        row = InboundMessageFactory(provider_message_id="wamid.only-in-the-inbox", **columns)

        assert sentence in trace(row.pk)
        assert trace("wamid.only-in-the-inbox") == trace(row.pk)

    def test_of_a_message_that_was_rejected_for_credits(self, answered):
        turn = Turn.objects.filter(pk=answered.message.turn_id)
        turn.update(state="failed", error="insufficient_credits")

        assert "ended after" in trace(answered.message_id)
        assert "failed, insufficient_credits." in trace(answered.message_id)

    def test_of_a_charge_and_its_refund(self, answered):
        turn = answered.message.turn
        ledger.charge(user_id=answered.message.user_id, amount=1, reference=turn.pk)
        assert "1 credit charged; 9 left." in trace(turn.pk)
        ledger.refund(reference=turn.pk, reason="reply not delivered")

        assert "1 credit refunded: reply not delivered." in trace(turn.pk)

    def test_of_a_retried_message_have_its_earlier_turn_too(self, answered):
        inbound, first = answered.inbound, answered.message.turn
        second = TurnFactory(conversation=first.conversation, state="done")
        type(inbound).objects.filter(pk=inbound.pk).update(turn_id=second.pk)

        told = trace(inbound.message.pk)
        assert f"Turn {first.pk} claimed" in told
        assert f"Turn {second.pk} claimed" in told

    @pytest.mark.parametrize(
        ("state", "error", "sentence"),
        [
            ("failed", "131047: Re-engagement message", "failed: 131047: Re-engagement message."),
            ("unknown", "no_answer: timeout", "has an unknown outcome: no_answer: timeout."),
            ("cancelled", "a person took over", "was cancelled: a person took over."),
        ],
    )
    def test_of_a_part_that_was_not_sent_say_why(self, answered, state, error, sentence):
        type(answered).objects.filter(pk=answered.pk).update(state=state, error=error)

        assert sentence in trace(answered.message_id)

    def test_of_events_have_each_attempt_to_post_them(self, answered):
        message = answered.message
        endpoint = WebhookEndpointFactory(user=message.user, url="https://hooks.example/secret-path?token=x")
        events.record(
            user_id=message.user_id, type=Event.Type.MESSAGE_FAILED,
            data={"message_id": message.pk, "reason": "x"}, conversation_id=message.conversation_id,
        )  # fmt: skip
        attempt = {"at": timezone.now().isoformat(), "status": 503, "ms": 12, "error": ""}
        WebhookDelivery.objects.filter(endpoint=endpoint).update(log=[attempt])

        told = trace(message.pk)
        assert "Event message.failed for the business" in told
        assert "(hooks.example): 503." in told
        assert "secret-path" not in told

    def test_of_a_dead_letter(self):
        letter = DeadLetter.objects.create(
            raw=b"{}", reason="not read: ValueError", correlation_id="trace-1", digest="x",
            replayed_at=timezone.now() + timedelta(seconds=1),
        )  # fmt: skip

        told = trace("trace-1")
        assert f"Kept as dead letter {letter.pk}: not read: ValueError." in told
        assert f"Dead letter {letter.pk} replayed." in told

    def test_name_a_pause_of_the_customer(self, answered):
        CustomerFactory._meta.model.objects.filter(pk=answered.inbound.customer_id).update(
            paused_until=timezone.now() + timedelta(hours=1), pause_reason="paused"
        )

        assert re.search(r"The AI is paused for the customer until .* UTC: paused", trace(answered.pk))


class TestQueries:
    QUERIES = {name: value for name, value in vars(queries).items() if name.endswith("_SQL")}

    @pytest.mark.parametrize("name", QUERIES)
    def test_goes_by_an_index(self, answered, name):
        assert "Seq Scan" not in self.plan(name) or name == "DEAD_LETTERS_SQL"

    @staticmethod
    def plan(name: str) -> str:
        now = timezone.now()
        facts = {"id": 1 if name == "INBOUND_BY_ID_SQL" else "x", "at": now, "since": now, "until": now,
                 "user": "usr_x", "inbound": [1, 2], "versions": [1]}  # fmt: skip
        named = (
            *("turns", "messages", "customers", "correlations", "references", "numbers", "keys"),
            *("conversations", "events", "prompts"),
        )
        texts = {name: ["x", "y"] for name in named}
        rows = sql.rows(f"EXPLAIN {queries.__dict__[name]}", {**facts, **texts})
        return "\n".join(row["QUERY PLAN"] for row in rows)

    def test_run_in_a_transaction_that_refuses_writes(self, answered, monkeypatch):
        monkeypatch.setattr(story, "of", lambda _: CreditFactory())

        with pytest.raises(InternalError, match="read-only"):
            story.tell(str(answered.pk))
