"""What a business is told of its messages and channels, if it wants to be."""

import pytest

from billing.models import Event, WebhookDelivery, WebhookEndpoint
from channels_app import channel_errors
from channels_app.models import InboundMessage, PhoneNumber
from channels_app.senders.graph_codes import VERDICTS, Verdict
from conversations import events, leases
from conversations.models import Delivery, Message
from tests.conversations import answering
from tests.conversations.test_events import told as tell
from tests.factories import AgentFactory, InboundMessageFactory

_CHANNEL_CODES = sorted(
    code for code, verdict in VERDICTS.items() if verdict is Verdict.CHANNEL and code not in range(201, 300)
)


def listen(user_id: str, *types: str, **values) -> WebhookEndpoint:
    return WebhookEndpoint.objects.create(
        user_id=user_id, url="https://example.com/hook", types=list(types), secret="none", **values
    )


def written(text="Hello", *types, listens=True):
    """A message that waits, of a customer of a business that listens."""
    message = InboundMessageFactory(text=text)
    agent = AgentFactory(phone_number=message.phone_number)
    if listens:
        listen(agent.user_id, *types)
    return message


def claim(message):
    return answering.claim(message.phone_number_id)


def answered(message, text="Good day"):
    turn = claim(message)
    answering.store_reply(turn, text=text)
    return turn


def deliver(turn) -> None:
    with leases.held(turn.lease_token):
        answering.deliver(turn)


def told(type_: str) -> list[Event]:
    return list(Event.objects.filter(type=type_).order_by("sequence"))


class TestReceived:
    def test_is_told_with_what_was_said(self, transactional_db, valkey):
        message = written("Do you bake rye bread?")

        turn = claim(message)

        (event,) = told("message.received")
        said = Message.objects.get()
        assert event.conversation_id == turn.conversation_id
        assert event.data == {
            "message_id": said.pk,
            "phone_number_id": message.phone_number_id,
            "channel": "whatsapp",
            "customer_phone": message.customer.wa_id,
            "kind": "text",
            "text": "Do you bake rye bread?",
            "timestamp": event.data["timestamp"],
            # See test_message_events.py.
            "message": event.data["message"],
        }
        assert WebhookDelivery.objects.get().event_id == event.pk

    def test_is_told_message_by_message_in_their_order(self, transactional_db, valkey):
        message = written("one")
        for text in ("two", "three"):
            InboundMessageFactory(customer=message.customer, text=text)

        claim(message)

        assert [event.data["text"] for event in told("message.received")] == ["one", "two", "three"]

    @pytest.mark.parametrize("types", [["lead.created"], ["message.sent"]])
    def test_is_not_kept_where_nobody_wants_it(self, transactional_db, valkey, types):
        claim(written("Hello", *types))

        assert told("message.received") == []

    def test_is_not_kept_without_an_endpoint(self, transactional_db, valkey):
        claim(written(listens=False))

        assert not Event.objects.exists()

    def test_is_not_kept_where_only_somebody_else_wants_it(self, transactional_db, valkey):
        written()

        claim(written(listens=False))

        assert not Event.objects.exists()

    def test_is_told_of_once_though_it_is_answered_again(self, graph, transactional_db, valkey):
        message = written()
        deliver(answered(message))
        InboundMessage.objects.update(status="pending", turn_id=None)

        claim(message)

        assert Message.objects.filter(author="customer").count() == 1

        assert len(told("message.received")) == 1


class TestSent:
    def test_is_told_when_the_channel_took_all_of_it(self, graph, transactional_db, valkey):
        deliver(answered(written()))

        (event,) = told("message.sent")
        reply = Message.objects.get(author="ai")
        assert event.conversation_id == reply.conversation_id
        assert {name: event.data[name] for name in ("message_id", "author", "text")} == {
            "message_id": reply.pk, "author": "ai", "text": "Good day",
        }  # fmt: skip

    def test_is_told_once_for_a_long_one_whatever_its_statuses(self, graph, transactional_db, valkey):
        message = written()
        deliver(answered(message, "A sentence of words. " * 400))
        for delivery in Delivery.objects.all():
            for status in ("delivered", "read"):
                tell(delivery, status)

        events.apply()

        assert Message.objects.get(author="ai").status == "read"
        assert len(told("message.sent")) == 1


class TestFailed:
    def test_is_told_with_the_reason(self, graph, transactional_db, valkey):
        graph.behave(graph={"script": [{"code": 131047}]})

        deliver(answered(written(listens=False)))

        (event,) = told("message.failed")
        assert event.data["message_id"] == Message.objects.get(author="ai").pk
        assert event.data["reason"].startswith("131047")
        assert told("channel.error") == []


class TestChannel:
    def test_is_told_of_when_its_token_is_refused(self, graph, transactional_db, valkey):
        graph.behave(graph={"script": [{"code": 190}]})
        message = written()

        deliver(answered(message))

        (event,) = told("channel.error")
        assert event.data["phone_number_id"] == message.phone_number_id
        assert event.data["code"] == "190"

    @pytest.mark.parametrize("code", _CHANNEL_CODES)
    def test_each_error_of_a_channel_raises_an_event_at_once(self, graph, transactional_db, valkey, code):
        graph.behave(graph={"script": [{"code": code}]})

        deliver(answered(written()))

        (event,) = told("channel.error")
        assert event.data["code"] == str(code)

    @pytest.mark.parametrize("code", _CHANNEL_CODES)
    def test_each_error_of_a_channel_raises_an_event_when_it_comes_as_a_status(
        self, graph, transactional_db, valkey, code
    ):
        message = written()
        deliver(answered(message))
        errors = [{"code": code, "title": "Payment issue"}]

        for key in ("first", "again"):
            tell(
                Delivery.objects.get(),
                "failed",
                event_key=key,
                payload={"status": "failed", "errors": errors},
            )
            events.apply()

        (event,) = told("channel.error")
        assert event.data == {
            "phone_number_id": message.phone_number_id, "code": str(code), "reason": "Payment issue",
        }  # fmt: skip

    @pytest.mark.parametrize("code", [131026, 131047, 131056, 131000])
    def test_an_error_of_one_message_raises_none(self, graph, transactional_db, valkey, code):
        deliver(answered(written()))
        errors = [{"code": code, "title": "Not delivered"}]
        tell(Delivery.objects.get(), "failed", payload={"status": "failed", "errors": errors})

        events.apply()

        assert told("channel.error") == []

    def test_is_told_of_once_an_hour(self, transactional_db):
        number = written().phone_number
        say = {"phone_number_id": number.pk, "code": "190", "reason": "expired"}

        raised = [channel_errors.record(**say), channel_errors.record(**say)]
        PhoneNumber.objects.update(alarmed_at="2026-01-01T00:00Z")
        raised.append(channel_errors.record(**say))

        assert raised == [True, False, True]
        assert len(told("channel.error")) == 2


class TestFanOut:
    def test_goes_to_each_endpoint_of_the_business_that_wants_it(self, transactional_db, valkey):
        message = written("Hello", "message.received")
        user_id = message.phone_number.user_id
        wants = WebhookEndpoint.objects.get()
        also = listen(user_id)
        listen(user_id, "lead.created")
        listen(user_id, disabled_at="2026-01-01T00:00Z")
        listen(user_id, deleted_at="2026-01-01T00:00Z")
        listen(written().phone_number.user_id)

        claim(message)

        found = set(WebhookDelivery.objects.values_list("endpoint_id", flat=True))
        assert found == {wants.pk, also.pk}
