"""
Transactions that lock the same rows lock them in one order, so Postgres never has to end one of them.

Number, customer, inbox, turn, conversation, message, delivery, credits: each pair here took two of them in
opposite orders once. `tests/lock_order.py` records the order of locks in all tests.
"""

import functools
import uuid
from collections.abc import Callable

import pytest
from django.db import connection
from django.utils import timezone

from billing import ledger
from channels_app import inbox
from channels_app.meta.types import Inbound, Parsed, Person
from channels_app.models import ChannelEvent, Customer, InboundMessage
from config.lib import sql
from conversations import events, replay, retrying, staff_reply
from conversations.answering import function_calls, send, store
from conversations.answering.open_turn import AnswerSettings, OpenTurn
from conversations.models import Message
from conversations.posting import Outcome, Posting
from tests.conversations import answering
from tests.conversations.test_events import told
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    TurnFactory,
)
from tests.racing import at_once

ROUNDS = 15


@pytest.fixture(autouse=True)
def _rows(transactional_db, valkey, settings):
    settings.REPLY_DEBOUNCE = 0


def many_rounds(test: Callable[[object], None]) -> Callable[[object], None]:
    """Run a test ROUNDS times, each time with rows of another business."""

    @functools.wraps(test)
    def run(self: object) -> None:
        for _ in range(ROUNDS):
            test(self)

    return run


def deadlocks() -> int:
    row = sql.row("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert row is not None
    return int(row["deadlocks"])


def reporting(thing: Callable[[], object]) -> Callable[[], object]:
    """Have Postgres count a deadlock of this thread's connection before the thread ends."""

    def do() -> object:
        try:
            return thing()
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_stat_force_next_flush()")
                cursor.execute("SELECT 1")

    return do


def race(*things: Callable[[], object]) -> None:
    """Do things at once and check that all end well, and that none was ended by Postgres on the way."""
    before = deadlocks()

    assert at_once(*(reporting(thing) for thing in things)) == ["done"] * len(things)

    assert deadlocks() == before


def wrote(customer: Customer, **changes) -> InboundMessage:
    return InboundMessageFactory(customer=customer, sent_at=timezone.now(), **changes)


def event(number, kind: str, key: str, **changes) -> ChannelEvent:
    return ChannelEvent.objects.create(
        **{"phone_number": number, "kind": kind, "event_key": key, "payload": {}, "data": {}, **changes},
        occurred_at=timezone.now(),
    )


def echo(customer: Customer, key: str) -> ChannelEvent:
    person = {"wa_id": customer.wa_id}
    return event(
        customer.phone_number, "echo", key, provider_message_id=key, person=person, data={"text": "Hi"}
    )


def talk_of(agent) -> tuple[Customer, object]:
    customer = CustomerFactory(phone_number=agent.phone_number)
    return customer, ConversationFactory(agent=agent, customer=customer)


class TestLockOrder:
    @many_rounds
    def test_of_a_rejected_claim_and_a_staff_reply(self):
        agent = AgentFactory(credits=0, unavailable_message="Closed.")
        customer, talk = talk_of(agent)
        wrote(customer)

        race(
            lambda: answering.claim(agent.phone_number_id),
            lambda: staff_reply.send(conversation_id=talk.pk, text="Hello", actor="admin:sue"),
        )

    @many_rounds
    def test_of_a_late_failure_with_an_echo_and_a_claim(self):
        agent = AgentFactory()
        customer, talk = talk_of(agent)
        wrote(customer)
        for number in range(5):
            reply = DeliveryFactory(
                turn__conversation=talk, turn__state="done", state="sent", message__status="sent",
                provider_message_id=f"wamid.{number}", message__sequence_no=number + 1,
            )  # fmt: skip
            ledger.charge(user_id=agent.user_id, amount=1, reference=reply.message.turn_id)
            told(reply, "failed")
        talk.last_sequence_no = 5
        talk.save()
        for number in range(5):
            echo(customer, f"wamid.echo.{number}")

        race(events.apply, lambda: answering.claim(agent.phone_number_id))

    @many_rounds
    def test_of_a_broken_channel_and_a_staff_reply(self):
        agent = AgentFactory()
        customer, talk = talk_of(agent)
        wrote(customer, status="done")
        reply = DeliveryFactory(turn__conversation=talk, turn__state="done", message__sequence_no=1)
        talk.last_sequence_no = 1
        talk.save()
        token = str(uuid.uuid4())
        row = retrying._begin(reply.message_id, token)
        assert row is not None
        posting = Posting.from_row(row)
        outcome = Outcome("failed", error="131042: no payment method", is_channel_broken=True)

        race(
            lambda: send.finish_sending(posting, outcome, token, None),
            *[lambda: staff_reply.send(conversation_id=talk.pk, text="Hello", actor="admin:sue")] * 2,
        )

    @many_rounds
    def test_of_echoes_and_a_staff_reply(self):
        agent = AgentFactory()
        customer, talk = talk_of(agent)
        wrote(customer, status="done")
        for number in range(5):
            echo(customer, f"wamid.echo.{number}")

        race(
            events.apply,
            *[lambda: staff_reply.send(conversation_id=talk.pk, text="Hello", actor="admin:sue")] * 2,
        )

    @many_rounds
    def test_of_echoes_and_webhooks_of_several_numbers(self):
        agents = [AgentFactory() for _ in range(4)]
        customers = [CustomerFactory(phone_number=agent.phone_number) for agent in agents]
        for way in (customers, customers[::-1]):
            for customer in way:
                echo(customer, f"wamid.{customer.pk}.{way is customers}")

        def webhook(name: str) -> None:
            inbox.store(
                Parsed(
                    inbound=[
                        Inbound(
                            phone_number_id=customer.phone_number_id, provider_message_id=f"wamid.{name}",
                            person=Person(wa_id=customer.wa_id), kind="text", text="Hi", payload={},
                            sent_at=timezone.now(),
                        )
                        for customer in customers
                    ]
                )
            )  # fmt: skip

        race(events.apply, *[lambda name=str(n): webhook(name) for n in range(3)])

    @many_rounds
    def test_of_a_merge_and_a_claim(self):
        agent = AgentFactory()
        first, other = (CustomerFactory(phone_number=agent.phone_number) for _ in range(2))
        Customer.objects.filter(pk=other.pk).update(wa_id=None, bsuid="XX.1")
        for customer in (first, other):
            ConversationFactory(agent=agent, customer=customer)
            wrote(customer)
        ids = {"wa_id": first.wa_id, "bsuid": "XX.1"}
        event(agent.phone_number, "identity", "same", data={"old": ids, "new": ids})

        race(events.apply, *[lambda: answering.claim(agent.phone_number_id)] * 2)

    @many_rounds
    def test_of_a_merge_and_a_replay(self):
        agent = AgentFactory()
        first, other = (CustomerFactory(phone_number=agent.phone_number) for _ in range(2))
        Customer.objects.filter(pk=other.pk).update(wa_id=None, bsuid="XX.1")
        rows = [wrote(customer, status="failed") for customer in (first, other) for _ in range(5)]
        ids = {"wa_id": first.wa_id, "bsuid": "XX.1"}
        event(agent.phone_number, "identity", "same", data={"old": ids, "new": ids})

        race(
            events.apply,
            lambda: replay.inbound(InboundMessage.objects.filter(pk__in=[row.pk for row in rows])),
        )

    @many_rounds
    def test_of_statuses_and_a_late_reply_known_to_the_model(self):
        talk = ConversationFactory()
        sent = [
            DeliveryFactory(
                turn__conversation=talk, turn__state="done", message__turn=None, state="sent",
                message__status="sent", message__author="staff", provider_message_id=f"wamid.{number}",
                message__sequence_no=number + 1,
            )
            for number in range(6)
        ]  # fmt: skip
        for delivery in sent:
            told(delivery, "delivered")
        ids = [delivery.message_id for delivery in sent][::-1]

        def mark_known() -> None:
            turn = TurnFactory(conversation=talk)
            held = OpenTurn(
                turn_id=turn.pk, lease_token=str(turn.lease_token), state="claimed",
                phone_number_id=turn.phone_number_id, customer_id=turn.customer_id, conversation_id=talk.pk,
                settings=AnswerSettings.from_json(turn.snapshot), attempts=0, drafts=0, deadline=0,
                is_resumed=False,
            )  # fmt: skip
            function_calls.store_owed_outputs(held, store.Origin(known=ids))

        race(events.apply, mark_known)
        assert Message.objects.filter(conversation=talk, status="delivered").count() == 6
