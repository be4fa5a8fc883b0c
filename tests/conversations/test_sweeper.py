"""The sweeper rings for whatever still waits."""

import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.models import ChannelEvent
from config.lib import heartbeat, jobs
from config.models import LeaderLease
from conversations import sweeper, unknown
from conversations.models import Delivery, Turn
from conversations.sweeper import Sweeper, waiting_numbers
from tests.conversations.test_events import told
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    TurnFactory,
)
from tests.rig import wait_until

SOON, JUST_NOW = timedelta(minutes=1), timedelta(seconds=-1)


@pytest.fixture
def agent(db):
    return AgentFactory()


def turn_of(agent, **changes) -> Turn:
    customer = CustomerFactory(phone_number=agent.phone_number)
    return TurnFactory(conversation=ConversationFactory(agent=agent, customer=customer), **changes)


class TestWaitingNumbers:
    def test_are_those_with_a_due_customer_each_once(self, agent):
        InboundMessageFactory.create_batch(3, customer__phone_number=agent.phone_number)

        assert waiting_numbers() == [agent.phone_number_id]

    @pytest.mark.parametrize("change", [{"due_at": SOON}, {"due_at": None}], ids=str)
    def test_leave_out_customers_who_are_not_due(self, agent, change):
        [(name, delta)] = change.items()
        customer = CustomerFactory(
            phone_number=agent.phone_number, **{name: delta and timezone.now() + delta}
        )
        InboundMessageFactory(customer=customer)

        assert waiting_numbers() == []

    def test_leave_out_numbers_without_an_agent(self, db):
        InboundMessageFactory()

        assert waiting_numbers() == []

    @pytest.mark.parametrize("deleted", ["deleted_at", "phone_number__deleted_at"])
    def test_leave_out_deleted_agents_and_numbers(self, db, deleted):
        agent = AgentFactory(**{deleted: timezone.now()})
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert waiting_numbers() == []

    def test_leave_out_customers_whose_turn_is_in_flight(self, agent):
        turn = turn_of(agent)
        InboundMessageFactory(customer=turn.customer)

        assert waiting_numbers() == []

    def test_leave_out_numbers_without_a_free_slot(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 1
        turn_of(agent)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert waiting_numbers() == []

    def test_hold_those_of_others_while_one_is_in_flight(self, agent):
        turn_of(agent)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert waiting_numbers() == [agent.phone_number_id]

    @pytest.mark.parametrize("state", Turn.OPEN)
    def test_hold_those_with_a_turn_whose_holder_vanished(self, agent, state):
        turn_of(agent, state=state, lease_expires_at=timezone.now() + JUST_NOW)

        assert waiting_numbers() == [agent.phone_number_id]

    def test_leave_out_a_turn_that_is_to_wait(self, agent):
        now = timezone.now()
        turn_of(agent, lease_expires_at=now + JUST_NOW, not_before=now + SOON)

        assert waiting_numbers() == []


class TestLead:
    def other(self, expires_in: timedelta) -> None:
        LeaderLease.objects.create(
            name="sweeper", holder="elsewhere:1", expires_at=timezone.now() + expires_in
        )

    def test_is_taken_where_nobody_leads_and_kept(self, db):
        assert sweeper.lead()
        first = LeaderLease.objects.get().expires_at

        assert sweeper.lead()

        lease = LeaderLease.objects.get()
        assert lease.holder == heartbeat.instance()
        assert lease.expires_at > first

    def test_is_left_to_the_one_who_leads(self, db):
        self.other(SOON)

        assert not sweeper.lead()
        assert LeaderLease.objects.get().holder == "elsewhere:1"

    def test_is_taken_over_when_the_other_vanished(self, db):
        self.other(JUST_NOW)

        assert sweeper.lead()
        assert LeaderLease.objects.get().holder == heartbeat.instance()


class TestGiveUpStuckDeliveries:
    @pytest.mark.parametrize(
        ("state", "age", "expected"),
        [
            ("sending", timedelta(minutes=2), "unknown"),
            ("sending", timedelta(seconds=30), "sending"),
            ("pending", timedelta(minutes=2), "pending"),
            ("sent", timedelta(minutes=2), "sent"),
        ],
    )
    def test_takes_only_what_was_being_sent_too_long(self, db, state, age, expected):
        delivery = DeliveryFactory(state=state, lease_expires_at=timezone.now() - age)

        unknown.give_up_stuck()

        delivery.refresh_from_db()
        assert delivery.state == expected


class TestSweep:
    def test_rings_once_for_each_number(self, valkey, db):
        agents = [AgentFactory(), AgentFactory()]
        for agent in agents:
            InboundMessageFactory.create_batch(2, customer__phone_number=agent.phone_number)

        sweeper = Sweeper(threading.Event())
        for _ in range(3):
            sweeper.sweep()

        queues = {jobs.queue(jobs.Job.DRAIN, {"phone_number_id": a.phone_number_id}) for a in agents}
        assert sum(valkey.llen(queue) for queue in queues) == 2

    def test_applies_events(self, valkey, db):
        delivery = DeliveryFactory(state="sent", provider_message_id="wamid.1")
        told(delivery, "read")

        Sweeper(threading.Event()).sweep()

        assert Delivery.objects.get().state == "read"
        assert ChannelEvent.objects.get().outcome == "applied"

    def test_answers_itself_while_redis_is_away(self, servers, graph, valkey, transactional_db):
        agent = AgentFactory()
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        servers.valkey.kill()
        try:
            Sweeper(threading.Event()).sweep()
            wait_until(lambda: Turn.objects.filter(state="done").exists(), what="the turn is done")
        finally:
            servers.valkey.start()

        assert len(graph.requests(api="graph")) == 1
