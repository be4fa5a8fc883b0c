"""The state of the service as metrics. Tests of `config/monitoring/service_state.py`."""

import json
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from prometheus_client import CollectorRegistry

from channels_app import spool
from channels_app.models import ChannelEvent, DeadLetter
from config.lib import heartbeat, ids
from config.models import Heartbeat
from config.monitoring import service_state
from config.monitoring.service_query import SERVICE_SQL
from conversations.models import Message
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CreditFactory,
    CustomerFactory,
    DeliveryFactory,
    ExtractionFactory,
    InboundMessageFactory,
    MessageFactory,
    PhoneNumberFactory,
    TurnFactory,
    WebhookEndpointFactory,
)
from tests.read_only import read_only

AGO = timedelta(minutes=10)
# Tables that hold everything that was ever said.
LARGE = {
    "inbound_messages", "messages", "turns", "deliveries", "channel_events", "extractions", "conversations",
    "events", "webhook_deliveries", "customers",
}  # fmt: skip
# They hold only rows that wait, or are read by a key or in their order, a bounded number of rows.
BOUNDED_INDEXES = {
    "channel_events_waiting", "conversations_to_extract", "customers_pkey", "deliveries_open",
    "extractions_one_open_per_conversation", "extractions_open", "inbound_messages_pkey",
    "inbound_waiting_by_customer", "messages_failed_lately", "messages_unknown_by_user",
    "messages_unknown_unreported", "turns_one_open_per_customer", "turns_open_by_number",
    "webhook_deliveries_due",
}  # fmt: skip


@pytest.fixture
def agent(db):
    return AgentFactory()


def read(name: str, **labels: str) -> float | None:
    """Return a metric, read anew."""
    registry = CollectorRegistry()
    registry.register(service_state.ServiceCollector())
    return registry.get_sample_value(f"agents_{name}", labels)


def customer_of(agent, *, due=AGO):
    return CustomerFactory(phone_number=agent.phone_number, due_at=timezone.now() - due)


class TestWaitingTurns:
    def test_are_customers_who_are_due_each_once(self, agent):
        InboundMessageFactory.create_batch(3, customer=customer_of(agent))
        InboundMessageFactory(customer=customer_of(agent, due=timedelta(minutes=1)))

        assert read("waiting_turns") == 2
        assert 600 <= read("oldest_waiting_turn_seconds") < 3600

    def test_leave_out_customers_who_write_on(self, agent):
        InboundMessageFactory(customer=customer_of(agent, due=-AGO))

        assert read("waiting_turns") == 0
        assert read("oldest_waiting_turn_seconds") == 0

    def test_leave_out_customers_who_are_being_answered(self, agent):
        customer = customer_of(agent)
        InboundMessageFactory(customer=customer)
        TurnFactory(conversation=ConversationFactory(agent=agent, customer=customer))

        assert read("waiting_turns") == 0
        assert read("open_turns", state="claimed") == 1

    def test_leave_out_numbers_without_an_agent(self, db):
        InboundMessageFactory(customer=CustomerFactory(due_at=timezone.now() - AGO))

        assert read("waiting_turns") == 0
        assert read("customers_without_agent") == 1


class TestOpenTurns:
    def test_are_counted_by_state(self, agent):
        TurnFactory(state="claimed")
        TurnFactory(state="answered")
        TurnFactory(state="done")

        assert read("open_turns", state="claimed") == 1
        assert read("open_turns", state="answered") == 1

    def test_whose_holder_is_gone_are_expired_leases(self, agent):
        TurnFactory(lease_expires_at=timezone.now() - AGO)
        TurnFactory(lease_expires_at=timezone.now() - AGO, not_before=timezone.now() + AGO)
        TurnFactory()

        assert read("expired_leases") == 1

    def test_that_lost_two_holders_are_poison(self, agent):
        TurnFactory(attempts=2)
        TurnFactory(attempts=1)

        assert read("poison_turns") == 1


class TestReplies:
    def test_parts_that_are_not_sent_are_counted_by_state(self, agent):
        DeliveryFactory(state="pending", created_at=timezone.now() - AGO)
        DeliveryFactory(state="sending")
        DeliveryFactory(state="sent", is_open=False)

        assert read("open_deliveries", state="pending") == 1
        assert read("open_deliveries", state="sending") == 1
        assert read("oldest_open_delivery_seconds") >= 600

    def test_messages_of_unknown_outcome_are_counted(self, agent):
        MessageFactory(status=Message.Status.UNKNOWN, unknown_at=timezone.now())
        MessageFactory()

        assert read("unknown_messages") == 1

    def test_messages_that_failed_lately_are_counted(self, agent):
        MessageFactory(status=Message.Status.FAILED, failed_at=timezone.now())
        MessageFactory(status=Message.Status.FAILED, failed_at=timezone.now() - timedelta(days=1))

        assert read("failed_messages") == 1


class TestOtherWork:
    def test_dead_letters_count_until_a_replay_succeeds(self, db):
        DeadLetter.objects.create(reason="not read", raw=b"{", digest="1")
        DeadLetter.objects.create(reason="not read", raw=b"[", digest="2", replayed_at=timezone.now())

        assert read("dead_letters") == 1

    def test_channel_events_that_are_due_wait(self, agent):
        ChannelEvent.objects.create(
            phone_number=agent.phone_number,
            kind="status",
            event_key="1",
            payload={},
            occurred_at=timezone.now(),
            apply_after=timezone.now() - AGO,
        )

        assert read("waiting_channel_events") == 1
        assert read("oldest_channel_event_seconds") >= 600

    def test_lead_readings_are_counted_by_status(self, agent):
        ExtractionFactory(status="waiting", lease_expires_at=timezone.now() - AGO)
        ExtractionFactory(status="succeeded")

        assert read("lead_runs", status="waiting") == 1
        assert read("lead_runs", status="running") == 0
        assert read("oldest_lead_run_seconds") >= 600

    def test_events_for_endpoints_are_counted_by_what_they_wait_for(self, db):
        for changes in (
            {},
            {"paused_until": timezone.now() + AGO},
            {"disabled_at": timezone.now()},
            {"deleted_at": timezone.now()},
        ):
            self.waiting_event(WebhookEndpointFactory(**changes))

        assert read("endpoint_deliveries", state="due") == 1
        assert read("endpoint_deliveries", state="paused") == 1
        assert read("endpoint_deliveries", state="disabled") == 1
        assert read("oldest_endpoint_delivery_seconds") >= 600
        assert read("disabled_endpoints") == 1

    @staticmethod
    def waiting_event(endpoint) -> None:
        event_id = ids.new("evt")
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO events (event_id, user_id, type) VALUES (%s, %s, 'endpoint.test')",
                [event_id, endpoint.user_id],
            )
            cursor.execute("DELETE FROM webhook_deliveries WHERE event_id = %s", [event_id])
            cursor.execute(
                "INSERT INTO webhook_deliveries (delivery_id, endpoint_id, event_id, due_at) "
                "VALUES (%s, %s, %s, now() - interval '10 minutes')",
                [ids.new("whd"), endpoint.endpoint_id, event_id],
            )


class TestBusinesses:
    def test_that_cannot_pay_are_counted(self, db):
        CreditFactory(remaining_credits=0)
        CreditFactory(remaining_credits=5)

        assert read("businesses_without_credits") == 1

    def test_numbers_with_errors_are_counted_by_code(self, db):
        PhoneNumberFactory(alarm_code="190", alarmed_at=timezone.now())
        PhoneNumberFactory(alarm_code="190", alarmed_at=timezone.now())
        PhoneNumberFactory(alarm_code="131031", alarmed_at=timezone.now() - timedelta(days=1))

        assert read("numbers_with_errors", code="190") == 2
        assert read("numbers_with_errors", code="131031") is None


class TestParts:
    def test_processes_of_each_role_are_counted(self, db):
        heartbeat.beat("worker", ["messages.0"])
        stale = timezone.now() - timedelta(hours=1)
        Heartbeat.objects.create(instance="gone:1", role="sweeper", beat_at=stale)

        assert read("role_processes", role="worker") == 1
        assert read("role_processes", role="sweeper") == 0
        assert read("unread_queues") > 0

    def test_spool_is_measured(self, db, valkey):
        spool.append(spool.Waiting(raw=b"{}", received_at=timezone.now(), correlation_id=""))

        assert read("spool_entries") == 1
        assert read("spool_bytes") > 0
        assert read("redis_up") == 1
        assert read("redis_bytes") > 0

    def test_postgres_says_how_it_is(self, db):
        assert read("postgres_up") == 1
        assert read("postgres_connections") >= 1
        assert read("postgres_max_connections") >= 10
        assert read("table_bytes", table="messages") > 0

    def test_redis_away_hides_nothing_else(self, db, monkeypatch):
        monkeypatch.setattr("config.lib.redis.breaker.allows", lambda: False)

        assert read("redis_up") == 0
        assert read("spool_entries") is None
        assert read("waiting_turns") == 0

    def test_postgres_that_does_not_answer_hides_nothing_else(self, transactional_db, valkey):
        with psycopg.connect(**connection.get_connection_params()) as other:
            other.execute("LOCK TABLE inbound_messages IN ACCESS EXCLUSIVE MODE")

            assert read("postgres_up") == 0
            assert read("waiting_turns") is None
            assert read("redis_up") == 1

    def test_postgres_that_takes_no_writes_is_read(self, transactional_db, servers):
        assert read("postgres_writable") == 1
        with read_only(servers):
            assert read("postgres_up") == 1
            assert read("postgres_writable") == 0


class TestCost:
    def test_repeated_reads_are_answered_from_memory(self, agent, django_assert_num_queries):
        collector = service_state.ServiceCollector()
        list(collector.collect())

        with django_assert_num_queries(0):
            list(collector.collect())

    def test_large_tables_are_read_by_indexes_of_what_waits(self, db):
        with connection.cursor() as cursor:
            # With rows a sort costs more than an index in its order; these tables are empty.
            cursor.execute("SET LOCAL enable_sort = off")
            cursor.execute(
                f"EXPLAIN (FORMAT json) {SERVICE_SQL}",
                {"most": 10, "most_letters": 10, "price": 1, "tables": []},
            )
            plan = cursor.fetchone()[0]
        plan = json.loads(plan) if isinstance(plan, str) else plan

        scans = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") in LARGE]
        used = {found["Index Name"] for scan in scans for found in nodes(scan) if "Index Name" in found}
        assert {scan["Relation Name"] for scan in scans} == LARGE - {"events"}
        assert used <= BOUNDED_INDEXES
        assert [scan for scan in scans if scan["Node Type"] == "Seq Scan"] == []


def nodes(plan: dict):
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)
