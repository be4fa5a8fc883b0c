"""
The sweeper rings for whatever still waits: a ring was lost, a worker died, a turn's time has come.

A plain process that needs neither Redis nor beat. Several may run; a row elects the one that works. While
Redis is away it answers turns itself.
"""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import Error, connection
from django.utils import timezone

from billing import mail
from billing.webhooks import delivery
from channels_app import intake
from config.lib import failpoints, heartbeat, redis, sql, stopping
from config.lib.jobs import Job, ring_now
from conversations import archiving, events, turns
from conversations.holding import QUARANTINED_AFTER

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=10)
THREADS = 20


class Sweeper:
    """Looks every WORKER_POLL_INTERVAL until `stop` is set."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._beaten_at = timezone.now() - LEASE
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="sweeper-drain")
        self._draining: set[str] = set()

    def run(self) -> None:
        """Sweep until stopped; while Postgres is away, wait for it."""
        while not self._stop.is_set():
            try:
                self._beat()
                if lead():
                    self.sweep()
            except Error as error:
                log.warning("sweeper.postgres_away", reason=type(error).__name__)
            finally:
                connection.close()
            self._stop.wait(settings.WORKER_POLL_INTERVAL / 1000)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def sweep(self) -> None:
        """Ring once for each number with work that nobody is doing, and apply events that wait."""
        self._empty_spool()
        failpoints.reach("P18")
        for phone_number_id in waiting_numbers():
            try:
                ring_now(Job.DRAIN, phone_number_id=phone_number_id)
            except redis.RedisUnavailableError:
                self._drain_here(phone_number_id)
        # None of these is done here: what kills workers must not kill the sweeper, the rest can wait.
        with contextlib.suppress(redis.RedisUnavailableError):
            for phone_number_id in quarantined_numbers():
                ring_now(Job.QUARANTINE, phone_number_id=phone_number_id)
            for message_id in unsent_messages():
                ring_now(Job.SEND, message_id=message_id)
            for archive_id in archiving.unfinished_archives():
                ring_now(Job.CLOSE_CONVERSATIONS, archive_id=archive_id)
            delivery.ring_due()
            if mail.is_due():
                ring_now(Job.SEND_EMAILS)
        give_up_stuck_deliveries()
        events.apply()

    def _empty_spool(self) -> None:
        with contextlib.suppress(redis.RedisUnavailableError):
            intake.empty_spool()

    def _beat(self) -> None:
        now = timezone.now()
        if now - self._beaten_at > timedelta(seconds=heartbeat.INTERVAL):
            heartbeat.beat("sweeper")
            self._beaten_at = now

    def _drain_here(self, phone_number_id: str) -> None:
        if phone_number_id in self._draining:
            return
        self._draining.add(phone_number_id)
        self._pool.submit(self._drain, phone_number_id)

    def _drain(self, phone_number_id: str) -> None:
        try:
            turns.drain(phone_number_id=phone_number_id)
        except Error as error:
            log.warning("sweeper.drain_failed", reason=type(error).__name__)
        finally:
            self._draining.discard(phone_number_id)
            connection.close()


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
    found = sql.rows(
        _WAITING,
        {"concurrency": settings.PHONE_NUMBER_CONCURRENCY, "quarantined_after": QUARANTINED_AFTER},
    )
    return [row["phone_number_id"] for row in found]


_WAITING = """
    WITH waiting AS (
        SELECT DISTINCT message.phone_number_id
          FROM inbound_messages AS message
          JOIN customers AS customer USING (customer_id)
         -- What was due a moment ago has its own ring, which is on its way.
         WHERE message.status = 'pending'
           AND customer.due_at <= statement_timestamp() - interval '500 milliseconds'
           AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.customer_id = message.customer_id
                                                 AND turns.state IN ('claimed', 'answered')))
    SELECT phone_number_id
      FROM waiting
      JOIN agents USING (phone_number_id)
      JOIN phone_numbers AS number USING (phone_number_id)
     WHERE agents.deleted_at IS NULL AND number.deleted_at IS NULL
       AND (SELECT count(*) FROM turns WHERE turns.phone_number_id = waiting.phone_number_id
                                         AND turns.state IN ('claimed', 'answered')) < %(concurrency)s
     UNION
    SELECT phone_number_id
      FROM turns
     WHERE state IN ('claimed', 'answered') AND lease_expires_at <= statement_timestamp()
       AND (not_before IS NULL OR not_before <= statement_timestamp())
       AND attempts + (lease_token IS NOT NULL AND state = 'claimed')::int < %(quarantined_after)s
"""


def quarantined_numbers() -> list[str]:
    """List the numbers with a turn that lost so many holders that it is taken up apart from others."""
    return [row["phone_number_id"] for row in sql.rows(_QUARANTINED, [QUARANTINED_AFTER])]


_QUARANTINED = """
    SELECT DISTINCT phone_number_id
      FROM turns
     WHERE state IN ('claimed', 'answered') AND lease_expires_at <= statement_timestamp()
       AND (not_before IS NULL OR not_before <= statement_timestamp())
       AND attempts + (lease_token IS NOT NULL AND state = 'claimed')::int >= %s
"""


def unsent_messages() -> list[str]:
    """List what a person said, or had sent again, and that nobody has sent yet."""
    return [row["message_id"] for row in sql.rows(_UNSENT)]


_UNSENT = """
    SELECT DISTINCT message_id
      FROM deliveries JOIN messages USING (message_id)
     WHERE deliveries.state = 'pending'
       AND deliveries.created_at < statement_timestamp() - interval '5 seconds'
       AND NOT EXISTS (SELECT 1 FROM turns WHERE turns.turn_id = messages.turn_id
                                             AND turns.state IN ('claimed', 'answered'))
     LIMIT 100
"""


def give_up_stuck_deliveries() -> int:
    """Mark sends whose holder died as unknown, also where no claim will look at their turn again."""
    return sql.execute(
        """
        UPDATE deliveries
           SET state = 'unknown', error = 'its sender died', updated_at = statement_timestamp()
         WHERE state = 'sending' AND lease_expires_at < statement_timestamp() - interval '1 minute'
        """
    )


def until(stop: threading.Event) -> Callable[[int, object], None]:
    """Give a signal handler that sets the event, and has turns that are being answered here handed back."""

    def end(_signal: int, _frame: object) -> None:
        stop.set()
        stopping.begin()

    return end
