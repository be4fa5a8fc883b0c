"""Whose turn is next."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Credit, CreditEntry
from channels_app.models import Customer, InboundMessage
from conversations.answering import claim as claiming
from conversations.answering import number_locks, open_turn
from conversations.answering.open_turn import OpenTurn
from conversations.models import Message, Turn
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    PhoneNumberFactory,
    TurnFactory,
)


@pytest.fixture
def agent(db):
    return AgentFactory()


def wrote(agent, **customer) -> Customer:
    """Let a new customer of the agent's number have written one message."""
    return InboundMessageFactory(customer__phone_number=agent.phone_number, **customer).customer


def claim(agent) -> OpenTurn | None:
    return answering.claim(agent.phone_number_id)


class TestClaim:
    def test_takes_the_customer_who_waits_longest(self, agent):
        first, second = wrote(agent), wrote(agent)
        InboundMessageFactory(customer=first)

        turns = [claim(agent), claim(agent)]

        assert [turn.customer_id for turn in turns] == [first.customer_id, second.customer_id]
        assert claim(agent) is None

    def test_goes_by_arrival_and_neither_by_due_time_nor_by_the_providers_clock(self, agent):
        now = timezone.now()
        first = wrote(agent, customer__due_at=now - timedelta(seconds=1))
        wrote(agent, customer__due_at=now - timedelta(hours=1), sent_at=now - timedelta(days=1))

        assert claim(agent).customer_id == first.customer_id

    def test_finds_nothing_where_nobody_wrote(self, agent):
        CustomerFactory(phone_number=agent.phone_number)

        assert claim(agent) is None

    def test_takes_nothing_of_another_number(self, agent):
        InboundMessageFactory()

        assert claim(agent) is None

    @pytest.mark.parametrize(
        ("change", "is_skipped"),
        [
            ({"due_at": timedelta(minutes=1)}, True),
            ({"due_at": None}, True),
            ({"paused_until": timedelta(minutes=1)}, True),
            ({"paused_until": -timedelta(seconds=1)}, False),
        ],
    )
    def test_skips_a_customer_who_is_not_due_or_paused(self, agent, change, is_skipped):
        [(name, delta)] = change.items()
        first = wrote(agent, **{f"customer__{name}": delta and timezone.now() + delta})
        second = wrote(agent)

        expected = second if is_skipped else first
        assert claim(agent).customer_id == expected.customer_id

    @pytest.mark.parametrize("state", ["claimed", "answered"])
    def test_skips_a_customer_whose_turn_is_in_flight(self, agent, state):
        busy, free = wrote(agent), wrote(agent)
        TurnFactory(state=state, conversation=ConversationFactory(customer=busy, agent=agent))

        assert claim(agent).customer_id == free.customer_id
        assert claim(agent) is None

    def test_takes_a_customer_again_whose_turn_has_ended(self, agent):
        customer = wrote(agent)
        open_turn.close([claim(agent).turn_id])
        InboundMessageFactory(customer=customer)

        assert claim(agent).customer_id == customer.customer_id

    @pytest.mark.parametrize("status", ["processing", "done", "failed", "rejected", "ignored"])
    def test_leaves_messages_alone_that_do_not_wait(self, agent, status):
        wrote(agent, status=status)

        assert claim(agent) is None


class TestConcurrency:
    def test_bounds_the_turns_of_a_number(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 2
        for _ in range(3):
            wrote(agent)

        turns = [claim(agent), claim(agent), claim(agent)]

        assert [turn is not None for turn in turns] == [True, True, False]

    def test_is_free_again_when_a_turn_ends(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 1
        wrote(agent), wrote(agent)
        first = claim(agent)
        assert claim(agent) is None

        open_turn.close([first.turn_id])

        assert claim(agent) is not None

    def test_does_not_count_turns_of_other_numbers(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 1
        TurnFactory()
        wrote(agent)

        assert claim(agent) is not None


class TestNobody:
    def test_answers_on_a_number_without_an_agent(self, db):
        message = InboundMessageFactory(customer__phone_number=PhoneNumberFactory())

        turn = answering.claim(message.phone_number_id)

        message.refresh_from_db()
        assert turn is None
        assert (message.status, Turn.objects.count()) == ("pending", 0)

    @pytest.mark.parametrize("deleted", ["deleted_at", "phone_number__deleted_at"])
    def test_answers_for_a_deleted_agent_or_number(self, db, deleted):
        agent = AgentFactory(**{deleted: timezone.now()})
        wrote(agent)

        assert claim(agent) is None
        assert not CreditEntry.objects.filter(kind="charge").exists()

    def test_answers_on_a_number_nobody_registered(self, db):
        InboundMessage.objects.create(
            phone_number_id="999", provider_message_id="wamid.1", kind="text", payload={},
            sent_at=timezone.now(),
            customer=Customer.objects.create(phone_number_id="999", wa_id="1", due_at=timezone.now()),
        )  # fmt: skip

        assert answering.claim("999") is None


class TestMore:
    def test_waits_where_others_do(self, valkey, agent):
        wrote(agent), wrote(agent)

        assert claiming.claim([agent.phone_number_id], most=1).more == {agent.phone_number_id}
        assert claiming.claim([agent.phone_number_id], most=2).more == set()

    def test_waits_where_one_cannot_pay(self, valkey, db):
        agent = AgentFactory(credits=0)
        wrote(agent), wrote(agent)

        claimed = claiming.claim([agent.phone_number_id], most=1)

        assert (claimed.candidates, claimed.more) == ([], {agent.phone_number_id})

    def test_does_not_wait_where_others_are_not_due(self, valkey, agent):
        wrote(agent)
        wrote(agent, customer__due_at=timezone.now() + timedelta(minutes=1))

        assert claiming.claim([agent.phone_number_id], most=2).more == set()


class TestNumberLocks:
    def test_are_for_one_process_at_a_time(self, valkey):
        first = number_locks.acquire(["1", "2"])

        assert set(number_locks.acquire(["2", "3"])) == {"3"}
        number_locks.release(first)
        assert set(number_locks.acquire(["2", "3"])) == {"2"}

    def test_are_not_released_by_another_process(self, valkey):
        number_locks.acquire(["1"])

        number_locks.release({"1": str(uuid.uuid4())})

        assert valkey.exists("lock:phone:1")

    def test_are_not_needed(self, servers, valkey):
        servers.valkey.kill()
        try:
            assert set(number_locks.acquire(["1"])) == {"1"}
        finally:
            servers.valkey.start()

    def test_are_released_after_the_claim(self, valkey, agent):
        wrote(agent)

        assert answering.drain(agent.phone_number_id) == 1

        assert valkey.keys("lock:phone:*") == []


class TestPaused:
    def test_customers_are_heard_and_not_answered(self, agent):
        customer = wrote(agent, customer__paused_until=timezone.now() + timedelta(minutes=1))

        assert claim(agent) is None

        message = Message.objects.get()
        assert (message.conversation.customer, message.status) == (customer, "delivered")
        assert (message.turn, message.openai_knows) == (None, False)
        assert not Turn.objects.exists()
        assert InboundMessage.objects.get().status == "done"
        assert Credit.objects.get().remaining_credits == 10
