"""
The sweeper rings for whatever still waits: a ring was lost, a worker died, a turn's time has come.

A plain process that needs neither Redis nor beat. Several may run; a row elects the one that works. While
Redis is away it answers turns itself.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connection
from django.utils import timezone

from billing import mail
from billing.webhooks import delivery
from channels_app import spool_drain
from config.lib import errors, failpoints, heartbeat, redis, shutdown, sql
from config.lib.jobs import Job, ring_now
from conversations import archiving, events, leases, unknown
from conversations.answering import engine
from conversations.answering.open_turn import QUARANTINED_AFTER

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=10)
# Failures in a row from which on a step is logged as an error.
MANY_FAILURES = 3


class Sweeper:
    """Looks every WORKER_POLL_INTERVAL until `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._beaten_at = timezone.now() - LEASE
        # All that a sweep does, in this order. Most only ring: what kills workers must not kill the sweeper.
        self.steps: dict[str, Callable[[], object]] = {
            "drain_spool": spool_drain.drain,
            "ring_waiting_numbers": self._ring_waiting_numbers,
            "ring_quarantined_numbers": _ring_quarantined_numbers,
            "ring_unsent_messages": _ring_unsent_messages,
            "ring_archives": _ring_archives,
            "ring_webhooks": delivery.ring_due,
            "ring_emails": _ring_emails,
            "give_up_stuck_deliveries": unknown.give_up_stuck,
            "report_unknown_deliveries": unknown.report_overdue,
            "apply_events": events.apply,
        }
        # Failures in a row, by step.
        self.failures: Counter[str] = Counter()

    def run(self) -> None:
        """Sweep until stopped; while Postgres is away, wait for it."""
        while not self._stop.is_set():
            try:
                self._beat()
                if lead():
                    self.sweep()
            except Exception as error:  # noqa: BLE001  (whatever it is, the next sweep comes)
                sql.discard_if_read_only(error)
                event = "sweeper.postgres_away" if sql.is_unavailable(error) else "sweeper.sweep_failed"
                log.warning(event, reason=errors.summary(error))
            finally:
                connection.close()
            self._stop.wait(settings.WORKER_POLL_INTERVAL / 1000)
        # Turns that this process answers, since Redis was away, are handed back or brought to their end.
        deadline = time.monotonic() + shutdown.GRACE
        while leases.is_busy() and time.monotonic() < deadline:
            time.sleep(0.1)

    def sweep(self) -> None:
        """
        Take all steps, whatever becomes of each.

        :raises Exception: for which `sql.is_unavailable` holds, if Postgres is away
        """
        for name, step in self.steps.items():
            self._take(name, step)

    def _take(self, name: str, step: Callable[[], object]) -> None:
        try:
            failpoints.reach("SWEEP", about=name)
            step()
        except redis.RedisUnavailableError:
            log.debug("sweeper.redis_away", step=name)
        except Exception as error:  # noqa: BLE001  (the other steps have nothing to do with it)
            self._note_failure(name, error)
        else:
            if self.failures.pop(name, 0):
                log.warning("sweeper.step_recovered", step=name)

    def _note_failure(self, name: str, error: Exception) -> None:
        self.failures[name] += 1
        count = self.failures[name]
        level = log.error if count >= MANY_FAILURES else log.warning
        level("sweeper.step_failed", step=name, error=errors.summary(error), failures=count)
        sql.discard_if_read_only(error)
        connection.close()
        if sql.is_unavailable(error):
            # Raises if Postgres is away for all; else it was a lock or a timeout of this step.
            lead()

    def _ring_waiting_numbers(self) -> None:
        """Ring for each number with work that nobody is doing; without Redis, do it here."""
        failpoints.reach("P18")
        for phone_number_id in waiting_numbers():
            try:
                ring_now(Job.DRAIN, phone_number_id=phone_number_id)
            except redis.RedisUnavailableError:
                engine.wake(phone_number_id)

    def _beat(self) -> None:
        now = timezone.now()
        if now - self._beaten_at > timedelta(seconds=heartbeat.INTERVAL):
            heartbeat.beat("sweeper")
            self._beaten_at = now


def _ring_quarantined_numbers() -> None:
    for phone_number_id in quarantined_numbers():
        ring_now(Job.QUARANTINE, phone_number_id=phone_number_id)


def _ring_unsent_messages() -> None:
    for message_id in unsent_messages():
        ring_now(Job.SEND, message_id=message_id)


def _ring_archives() -> None:
    for archive_id in archiving.unfinished_archives():
        ring_now(Job.CLOSE_CONVERSATIONS, archive_id=archive_id)


def _ring_emails() -> None:
    if mail.is_due():
        ring_now(Job.SEND_EMAILS)


def lead() -> bool:
    """Become or stay the one sweeper that works, for LEASE; tell whether we are."""
    taken = sql.execute(
        """
        INSERT INTO leader_leases (name, holder, expires_at)
        VALUES ('sweeper', %(me)s, statement_timestamp() + %(lease)s::interval)
            ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
         WHERE leader_leases.holder = %(me)s OR leader_leases.expires_at < statement_timestamp()
        """,
        {"me": heartbeat.instance(), "lease": LEASE},
    )
    return taken == 1


def waiting_numbers() -> list[str]:
    """List the numbers with a due customer and a free slot, or with a turn whose lease ran out."""
    rows = sql.rows(
        _WAITING,
        {"concurrency": settings.PHONE_NUMBER_CONCURRENCY, "quarantined_after": QUARANTINED_AFTER},
    )
    return [row["phone_number_id"] for row in rows]


_WAITING = """
    WITH waiting AS (
        SELECT DISTINCT message.phone_number_id
          FROM inbound_messages AS message
          JOIN customers AS customer USING (customer_id)
         -- What was due a moment ago has its own ring, which is on its way.
         WHERE message.status = 'pending'
           AND customer.due_at <= statement_timestamp() - interval '500 milliseconds'
           AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.customer_id = message.customer_id
                                                 AND turns.closed_at IS NULL))
    SELECT phone_number_id
      FROM waiting
      JOIN agents USING (phone_number_id)
      JOIN phone_numbers AS number USING (phone_number_id)
     WHERE agents.deleted_at IS NULL AND number.deleted_at IS NULL
       AND (SELECT count(*) FROM turns WHERE turns.phone_number_id = waiting.phone_number_id
                                         AND turns.closed_at IS NULL) < %(concurrency)s
     UNION
    SELECT phone_number_id
      FROM turns
     WHERE closed_at IS NULL AND lease_expires_at <= statement_timestamp()
       AND (not_before IS NULL OR not_before <= statement_timestamp())
       AND attempts + (lease_token IS NOT NULL AND state = 'claimed')::int < %(quarantined_after)s
"""


def quarantined_numbers() -> list[str]:
    """List the numbers with a turn that lost so many holders that it is taken up apart from others."""
    return [row["phone_number_id"] for row in sql.rows(_QUARANTINED, [QUARANTINED_AFTER])]


_QUARANTINED = """
    SELECT DISTINCT phone_number_id
      FROM turns
     WHERE closed_at IS NULL AND lease_expires_at <= statement_timestamp()
       AND (not_before IS NULL OR not_before <= statement_timestamp())
       AND attempts + (lease_token IS NOT NULL AND state = 'claimed')::int >= %s
"""


def unsent_messages() -> list[str]:
    """List what a person said, or had sent again, and that nobody has sent yet."""
    return [row["message_id"] for row in sql.rows(_UNSENT)]


_UNSENT = """
    SELECT DISTINCT message_id
      FROM deliveries JOIN messages USING (message_id)
     WHERE deliveries.is_open AND deliveries.state = 'pending'
       AND deliveries.created_at < statement_timestamp() - interval '5 seconds'
       AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.turn_id = messages.turn_id
                                             AND turns.closed_at IS NULL)
     LIMIT 100
"""


def until(stop: threading.Event) -> Callable[[int, object], None]:
    """Return a signal handler that sets the event, and hands back the open turns of this process."""

    def end(_signal: int, _frame: object) -> None:
        stop.set()
        shutdown.begin()

    return end
