"""Every event about a message carries the object that the API answers for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.models import Event, WebhookEndpoint
from channels_app.models import ChannelEvent, Customer
from conversations import echoes, events, leases, message_events, retrying, staff_reply, unknown
from conversations.answering import store
from conversations.answering.open_turn import OpenTurn
from conversations.models import Delivery, Message
from tests.api import caller
from tests.conversations import answering
from tests.factories import (
    SENT_AT,
    AgentFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    MessageFactory,
    WebhookEndpointFactory,
)

DROPPED = {"drop_after_accept": True}
REFUSED = {"code": 131047, "message": "Re-engagement message"}


def report(delivery: Delivery, status: str, *, event_key: str = "") -> None:
    """Let the channel report a status of a delivery."""
    ChannelEvent.objects.create(
        phone_number=delivery.phone_number,
        kind="status",
        event_key=event_key or f"{delivery.pk}:{status}",
        callback_data=delivery.pk,
        provider_message_id=Delivery.objects.get(pk=delivery.pk).provider_message_id or "wamid.1",
        payload={"status": status, "errors": [{"code": 131026, "title": "Message undeliverable"}]},
        occurred_at=SENT_AT,
    )


class Shop:
    """A business with one customer, a simulated channel, and an endpoint unless `listens` is off."""

    def __init__(self, graph: Any, *, listens: bool = True, fallback: str = "") -> None:
        self.graph = graph
        self.agent = AgentFactory(fallback_message=fallback)
        self.customer = CustomerFactory(
            phone_number=self.agent.phone_number, name="Ada", external_id="cust-77"
        )
        if listens:
            WebhookEndpointFactory(user=self.agent.user)

    def claim(self, text: str = "Hello") -> OpenTurn:
        InboundMessageFactory(customer=self.customer, text=text, sent_at=timezone.now())
        turn = answering.claim(self.agent.phone_number_id)
        assert turn is not None
        return turn

    def reply(self, *script: dict[str, Any], text: str = "Good day") -> Delivery:
        """Send a reply; `script` is how the channel answers each POST."""
        if script:
            self.graph.behave(graph={"script": list(script)})
        turn = self.claim()
        answering.store_reply(turn, text=text)
        with leases.held(turn.lease_token):
            answering.deliver(turn)
        return Delivery.objects.latest("created_at")

    def status(self, delivery: Delivery, status: str) -> None:
        report(delivery, status)
        events.apply()

    def shown(self, message_id: str) -> dict[str, Any]:
        """Return what the API answers for a message."""
        answer = caller.business(self.agent.user_id).get(f"/users/{self.agent.user_id}/messages/{message_id}")
        assert answer.status_code == 200, answer.content
        found = dict(answer.json())
        del found["deliveries"]
        return found


def receive(shop: Shop) -> None:
    shop.claim()


def send(shop: Shop) -> None:
    shop.reply()


def send_in_parts(shop: Shop) -> None:
    shop.reply(text="A sentence of words. " * 400)


def send_as_staff(shop: Shop) -> None:
    turn = shop.claim()
    message = staff_reply.send(conversation_id=turn.conversation_id, text="I will look", actor="admin:otto")
    retrying.send(message_id=message.pk)


def echo(shop: Shop) -> None:
    event = ChannelEvent.objects.create(
        phone_number_id=shop.agent.phone_number_id,
        kind="echo",
        event_key="echo",
        provider_message_id="wamid.echo",
        person={"wa_id": shop.customer.wa_id},
        data={"kind": "text", "text": "From the app"},
        payload={},
        occurred_at=SENT_AT,
    )
    echoes.note_echo(event)


def deliver(shop: Shop) -> None:
    shop.status(shop.reply(), "delivered")


def read(shop: Shop) -> None:
    shop.status(shop.reply(), "read")


def refuse(shop: Shop) -> None:
    shop.reply(REFUSED)


def fail_late(shop: Shop) -> None:
    shop.status(shop.reply(), "failed")


def not_answer(shop: Shop) -> None:
    store.store_failure(shop.claim(), "model: invalid_api_key")


def lose(shop: Shop) -> None:
    shop.reply(DROPPED)
    Message.objects.filter(status="unknown").update(unknown_at=timezone.now() - timedelta(minutes=5))
    unknown.report_overdue()


CAUSES = {
    receive: "message.received",
    send: "message.sent",
    send_in_parts: "message.sent",
    send_as_staff: "message.sent",
    echo: "message.sent",
    deliver: "message.delivered",
    read: "message.read",
    refuse: "message.failed",
    fail_late: "message.failed",
    not_answer: "message.failed",
    lose: "message.unknown",
}
# What the data of each type had before it carried the message object.
MEMBERS = {
    "message.received": {
        *("message_id", "phone_number_id", "channel", "customer_phone", "kind", "text", "timestamp"),
    },
    "message.sent": {"message_id", "phone_number_id", "author", "text", "timestamp"},
    "message.delivered": {"message_id"},
    "message.read": {"message_id"},
    "message.failed": {"message_id", "reason"},
    "message.unknown": {
        *("message_id", "phone_number_id", "author", "text", "timestamp", "reason", "unknown_since"),
    },
}


@pytest.fixture
def shop(graph, transactional_db, valkey) -> Shop:
    return Shop(graph)


class TestMessageObject:
    def test_every_event_type_about_messages_has_a_cause_here(self):
        about_messages = {type_ for type_ in Event.Type.values if type_.startswith("message.")}

        assert set(CAUSES.values()) == about_messages == set(MEMBERS) == set(message_events.TYPES)

    @pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
    def test_of_an_event_is_what_the_api_answers(self, shop, cause):
        cause(shop)

        [event] = Event.objects.filter(type=CAUSES[cause])
        message = event.data["message"]
        assert message == shop.shown(message["message_id"])
        assert event.conversation_id == message["conversation_id"]
        assert message["agent_id"] == shop.agent.pk
        assert message["customer"] == {
            "customer_id": shop.customer.pk,
            "external_id": "cust-77",
            "name": "Ada",
            "username": "",
            "channel": "whatsapp",
            "address": shop.customer.wa_id,
        }

    @pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
    def test_stands_beside_the_members_that_events_had_before(self, shop, cause):
        cause(shop)

        [event] = Event.objects.filter(type=CAUSES[cause])
        expected = {"turn_id", "reason"} if cause is not_answer else MEMBERS[CAUSES[cause]]
        assert set(event.data) == expected | {"message"}
        message = event.data["message"]
        renamed = {"reason": "failure_reason", "unknown_since": "unknown_at"}
        for name in expected:
            assert event.data[name] == message[renamed.get(name, name)], name


class TestStatuses:
    def test_each_raises_its_event_once_and_in_order(self, shop):
        delivery = shop.reply()
        for key, status in enumerate(("sent", "delivered", "delivered", "read", "delivered", "read")):
            report(delivery, status, event_key=str(key))
            events.apply()

        types = list(Event.objects.order_by("sequence").values_list("type", flat=True))
        assert types == ["message.received", "message.sent", "message.delivered", "message.read"]

    def test_that_come_together_raise_the_highest_only(self, shop):
        delivery = shop.reply()
        for status in ("delivered", "read"):
            report(delivery, status)

        events.apply()

        types = set(Event.objects.values_list("type", flat=True))
        assert types == {"message.received", "message.sent", "message.read"}

    def test_before_the_reply_of_the_channel_raise_sent_as_well(self, shop):
        delivery = shop.reply(DROPPED)

        shop.status(delivery, "delivered")

        types = list(Event.objects.order_by("sequence").values_list("type", flat=True))
        assert types == ["message.received", "message.sent", "message.delivered"]

    def test_of_many_messages_are_told_by_the_same_number_of_statements(self, shop):
        def statements(count: int) -> int:
            for n in range(count):
                customer = CustomerFactory(phone_number=shop.agent.phone_number)
                delivery = DeliveryFactory(
                    turn__conversation__customer=customer,
                    turn__conversation__agent=shop.agent,
                    turn__state="done",
                    state="sent",
                    provider_message_id=f"wamid.{count}.{n}",
                    message__status="sent",
                )
                report(delivery, "delivered")
            with CaptureQueriesContext(connection) as captured:
                events.apply()
            return len(captured)

        assert statements(1) == statements(20)
        assert Event.objects.filter(type="message.delivered").count() == 21

    @pytest.mark.parametrize("types", [None, ["lead.created"], ["message.failed"]])
    def test_cost_no_statement_where_nobody_wants_their_events(self, graph, transactional_db, valkey, types):
        shop = Shop(graph, listens=False)
        if types is not None:
            WebhookEndpointFactory(user=shop.agent.user, types=types)
        # An endpoint of somebody else does not count.
        WebhookEndpointFactory()
        delivery = shop.reply()

        report(delivery, "delivered")
        with CaptureQueriesContext(connection) as captured:
            events.apply()

        assert Message.objects.get(author="ai").status == "delivered"
        assert not Event.objects.exists()
        assert [query["sql"] for query in captured if "INTO events" in query["sql"]] == []
        assert [query["sql"] for query in captured if "customers" in query["sql"]] == []

    def test_go_only_to_endpoints_that_want_them(self, graph, transactional_db, valkey):
        shop = Shop(graph, listens=False)
        WebhookEndpointFactory(user=shop.agent.user, types=["message.read", "lead.created"])

        delivery = shop.reply()
        shop.status(delivery, "delivered")
        shop.status(delivery, "read")

        assert list(Event.objects.values_list("type", flat=True)) == ["message.read"]

    def test_of_a_deleted_endpoint_are_not_kept(self, shop):
        WebhookEndpoint.objects.update(deleted_at=timezone.now())

        shop.status(shop.reply(), "delivered")

        assert not Event.objects.exists()


class TestReplyTo:
    def test_of_a_reply_is_the_newest_message_of_its_turn(self, shop):
        InboundMessageFactory(customer=shop.customer, text="One", sent_at=SENT_AT)
        shop.reply()

        newest = Message.objects.get(text="Hello")
        reply = Message.objects.get(author="ai")
        assert shop.shown(reply.pk)["in_reply_to"] == newest.pk
        assert shop.shown(newest.pk)["in_reply_to"] is None
        assert shop.shown(reply.pk)["turn_id"] == shop.shown(newest.pk)["turn_id"]

    def test_of_a_quote_is_the_quoted_reply(self, shop):
        delivery = shop.reply()
        delivery.refresh_from_db()
        quoting = MessageFactory(
            conversation=delivery.message.conversation,
            author="customer",
            status="delivered",
            quoted_id=delivery.provider_message_id,
        )

        assert shop.shown(quoting.pk)["in_reply_to"] == delivery.message_id

    def test_of_a_quote_of_an_own_message_is_that_message(self, shop):
        turn = shop.claim()
        first = Message.objects.get()
        quoting = MessageFactory(
            conversation_id=turn.conversation_id, user=first.user, phone_number=first.phone_number,
            author="customer", status="delivered", quoted_id=first.provider_message_id,
        )  # fmt: skip

        assert shop.shown(quoting.pk)["in_reply_to"] == first.pk

    def test_of_a_quote_that_nobody_knows_is_null(self, shop):
        turn = shop.claim()
        first = Message.objects.get()
        quoting = MessageFactory(
            conversation_id=turn.conversation_id, user=first.user, phone_number=first.phone_number,
            author="customer", status="delivered", quoted_id="wamid.nobody",
        )  # fmt: skip

        assert shop.shown(quoting.pk)["in_reply_to"] is None


class TestNotAnswered:
    @pytest.mark.parametrize("fallback", ["", "Sorry, later."])
    def test_message_has_failed_when_the_event_is_raised(self, graph, transactional_db, valkey, fallback):
        shop = Shop(graph, fallback=fallback)

        store.store_failure(shop.claim(), "model: invalid_api_key")

        [event] = Event.objects.filter(type="message.failed")
        message = event.data["message"]
        assert (message["author"], message["status"]) == ("customer", "failed")
        assert message["reason"] == {
            "code": "model_failed", "message": "The model gave no reply: invalid_api_key",
        }  # fmt: skip
        assert (event.data["reason"], message["failure_reason"]) == ("model: invalid_api_key",) * 2


class TestReason:
    def test_of_a_message_that_a_person_had_to_answer_is_taken_over(self, shop):
        Customer.objects.update(paused_until=timezone.now() + timedelta(hours=1))
        InboundMessageFactory(customer=shop.customer)

        answering.claim(shop.agent.phone_number_id)

        shown = shop.shown(Message.objects.get().pk)
        assert (shown["status"], shown["reason"]["code"]) == ("delivered", "taken_over")
        assert shown["failure_reason"] == ""

    def test_of_a_refused_message_has_the_code_of_the_channel(self, shop):
        shop.reply(REFUSED)

        reason = shop.shown(Message.objects.get(author="ai").pk)["reason"]
        assert reason["code"] == "131047"
        assert reason["message"]
