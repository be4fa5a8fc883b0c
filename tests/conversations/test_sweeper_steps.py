"""Each step of a sweep is guarded: when one fails, the others are taken, and the sweeper goes on."""

import ast
import inspect
import json
import textwrap
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agents.models import ConversationArchive
from billing import events, mail
from billing.events import EventType
from billing.models import Event
from channels_app import spool
from channels_app.models import ChannelEvent, DeadLetter, InboundMessage
from config.lib import failpoints
from config.lib.jobs import Job
from conversations import pending_deletions
from conversations.answering.open_turn import QUARANTINED_AFTER
from conversations.models import Delivery
from conversations.sweeper import MANY_FAILURES, Sweeper
from simulator import webhooks
from tests.conversations.test_events import told
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    DeliveryFactory,
    InboundMessageFactory,
    MessageFactory,
    TurnFactory,
    UserFactory,
    WebhookEndpointFactory,
)
from tests.rig import wait_until

A_MINUTE, TWO_MINUTES = timedelta(minutes=1), timedelta(minutes=2)


@dataclass(frozen=True)
class Effect:
    """Something for a step to do, and how it shows that the step was taken."""

    prepare: Callable[[], object]
    is_there: Callable[[set[str]], bool]


def rung(job: Job) -> Callable[[set[str]], bool]:
    return lambda rings: job.value in rings


def _spool_message() -> None:
    raw = webhooks.encode(
        webhooks.whatsapp_text(["spooled"], customer=webhooks.Customer(), number=webhooks.Number())
    )
    spool.append(spool.Waiting(raw, timezone.now(), correlation_id=""))


def _write_message() -> None:
    InboundMessageFactory(customer__phone_number=AgentFactory().phone_number)


def _lose_three_holders() -> None:
    agent = AgentFactory()
    TurnFactory(
        conversation=ConversationFactory(
            agent=agent, customer=CustomerFactory(phone_number=agent.phone_number)
        ),
        attempts=QUARANTINED_AFTER, lease_expires_at=timezone.now() - A_MINUTE,
    )  # fmt: skip


def _leave_reply_unsent() -> None:
    message = MessageFactory(turn=None)
    delivery = DeliveryFactory(message=message, phone_number=message.phone_number, turn=None, text="Hello")
    Delivery.objects.filter(pk=delivery.pk).update(created_at=timezone.now() - A_MINUTE)


def _leave_archive_open():
    agent = AgentFactory()
    ConversationArchive.objects.create(
        old_agent=agent, phone_number=agent.phone_number, archived_at=timezone.now() - A_MINUTE
    )


def _record_event():
    endpoint = WebhookEndpointFactory()
    events.record(user_id=endpoint.user_id, type=EventType.LEAD_CREATED, data={})


def _write_email() -> None:
    mail.write(user_id=UserFactory().user_id, to="a@example.com", subject="A", body="A", reference="one")


def _leave_file_to_be_deleted() -> None:
    pending_deletions.add(pending_deletions.Kind.FILE, ["1/a.png"])


def _leave_delivery_stuck() -> None:
    DeliveryFactory(
        state="sending", provider_message_id="stuck", lease_expires_at=timezone.now() - TWO_MINUTES
    )


def _leave_outcome_unknown() -> None:
    MessageFactory(
        turn=None,
        sender="agent",
        author="ai",
        status="unknown",
        unknown_at=timezone.now() - timedelta(hours=1),
    )


def _store_event() -> None:
    told(DeliveryFactory(state="sent", provider_message_id="wamid.1"), "read")


# A step that is added needs an effect here.
EFFECTS = {
    "drain_spool": Effect(
        _spool_message, lambda _rings: InboundMessage.objects.filter(text="spooled").exists()
    ),
    "ring_waiting_numbers": Effect(_write_message, rung(Job.DRAIN)),
    "ring_quarantined_numbers": Effect(_lose_three_holders, rung(Job.QUARANTINE)),
    "ring_unsent_messages": Effect(_leave_reply_unsent, rung(Job.SEND)),
    "ring_archives": Effect(_leave_archive_open, rung(Job.CLOSE_CONVERSATIONS)),
    "ring_webhooks": Effect(_record_event, rung(Job.DELIVER_WEBHOOKS)),
    "ring_emails": Effect(_write_email, rung(Job.SEND_EMAILS)),
    "ring_deletions": Effect(_leave_file_to_be_deleted, rung(Job.DELETE_ELSEWHERE)),
    "give_up_stuck_deliveries": Effect(
        _leave_delivery_stuck,
        lambda _rings: Delivery.objects.get(provider_message_id="stuck").state == "unknown",
    ),
    "report_unknown_deliveries": Effect(
        _leave_outcome_unknown, lambda _rings: Event.objects.filter(type="message.unknown").exists()
    ),
    "apply_events": Effect(_store_event, lambda _rings: ChannelEvent.objects.get().outcome == "applied"),
}


@pytest.fixture
def sweeper(valkey, transactional_db, settings):
    settings.WORKER_POLL_INTERVAL = 10
    return Sweeper(threading.Event())


@pytest.fixture
def rings(valkey):
    """List the jobs that were rung for."""

    def read() -> set[str]:
        queues = [name for name in valkey.scan_iter() if valkey.type(name) == b"list"]
        entries = [
            json.loads(entry)
            for name in queues
            if name != b"queue:messages"
            for entry in valkey.lrange(name, 0, -1)
        ]
        return {entry["headers"]["task"] for entry in entries}

    return read


@pytest.fixture
def fail(monkeypatch):
    """Make steps fail whose name contains a text."""
    return lambda text: monkeypatch.setattr(failpoints, "_rules", failpoints._read(f"SWEEP=raise~{text}"))


class TestSteps:
    def test_are_all_known_here(self, sweeper):
        assert sweeper.steps.keys() == EFFECTS.keys()

    def test_are_all_that_a_sweep_does(self):
        """Whatever else `sweep` did would not be guarded."""
        [function] = ast.parse(textwrap.dedent(inspect.getsource(Sweeper.sweep))).body
        _docstring, loop = function.body

        assert ast.unparse(loop) == "for name, step in self.steps.items():\n    self._take(name, step)"

    def test_are_all_taken(self, sweeper, rings):
        for effect in EFFECTS.values():
            effect.prepare()

        sweeper.sweep()

        assert {name: effect.is_there(rings()) for name, effect in EFFECTS.items()} == dict.fromkeys(
            EFFECTS, True
        )

    @pytest.mark.parametrize("failing", EFFECTS)
    def test_are_taken_although_one_fails(self, sweeper, rings, fail, failing, caplog):
        for effect in EFFECTS.values():
            effect.prepare()
        fail(failing)

        sweeper.sweep()

        taken = {name: effect.is_there(rings()) for name, effect in EFFECTS.items()}
        assert taken == dict.fromkeys(EFFECTS, True) | {failing: False}
        assert sweeper.failures == {failing: 1}
        assert "sweeper.step_failed" in caplog.text
        assert f"'step': '{failing}', 'error': 'FailpointError at config/lib/failpoints.py" in caplog.text

    def test_are_counted_while_they_fail_and_reported_when_they_recover(self, sweeper, fail, caplog):
        fail("ring_emails")
        for _ in range(MANY_FAILURES):
            sweeper.sweep()
        levels = [record.levelname for record in caplog.records if "sweeper.step_failed" in str(record.msg)]

        fail("nothing")
        sweeper.sweep()

        assert levels == ["WARNING"] * (MANY_FAILURES - 1) + ["ERROR"]
        assert "sweeper.step_recovered" in caplog.text
        assert not sweeper.failures


class TestStepThatPostgresRefuses:
    @pytest.fixture(params=["23505", "XX000", "55P03", "57014"])
    def _refused(self, request, transactional_db):
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                f" $$ BEGIN RAISE EXCEPTION '12025550143' USING ERRCODE = '{request.param}'; END $$;"
                "CREATE TRIGGER refuse BEFORE UPDATE ON deliveries FOR EACH ROW"
                " WHEN (NEW.state = 'unknown') EXECUTE FUNCTION refuse()"
            )
        yield
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION refuse() CASCADE")

    @pytest.mark.usefixtures("_refused")
    def test_costs_no_other_step_although_it_looks_as_if_postgres_were_away(self, sweeper, rings, caplog):
        for effect in EFFECTS.values():
            effect.prepare()

        sweeper.sweep()

        taken = {name: effect.is_there(rings()) for name, effect in EFFECTS.items()}
        assert taken == dict.fromkeys(EFFECTS, True) | {"give_up_stuck_deliveries": False}
        assert "12025550143" not in caplog.text


def _postgres_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.long
class TestPostgresAway:
    def test_ends_the_sweep_until_it_is_back(self, servers, sweeper):
        servers.postgres.kill()
        try:
            with pytest.raises(OperationalError):
                sweeper.sweep()
            assert len(sweeper.failures) == 1
        finally:
            servers.postgres.start()
            wait_until(_postgres_answers, seconds=60, what="the pool has connections again")


class TestRun:
    def test_goes_on_although_every_step_fails_and_recovers_by_itself(self, sweeper, fail):
        _store_event()
        fail("_")
        thread = threading.Thread(target=sweeper.run)
        thread.start()
        try:
            wait_until(lambda: sweeper.failures["apply_events"] >= 3, what="the sweeper fails repeatedly")
            assert thread.is_alive()
            fail("nothing")
            wait_until(lambda: EFFECTS["apply_events"].is_there(set()), what="the event is applied")
        finally:
            sweeper._stop.set()
            thread.join(60)
        assert not thread.is_alive()

    def test_goes_on_although_what_is_in_the_spool_cannot_be_read(self, sweeper, valkey):
        valkey.rpush(spool.KEY, b"no JSON")
        _spool_message()

        sweeper.sweep()

        assert InboundMessage.objects.get().text == "spooled"
        assert bytes(DeadLetter.objects.get().raw) == b"no JSON"
