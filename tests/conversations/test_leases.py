"""A holder that is alive keeps its turns, and a dead one's run out."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conversations import leases
from conversations.models import Turn
from tests.factories import TurnFactory
from tests.rig import PATIENCE, wait_until


def renew(*turns: Turn) -> None:
    leases.renew([str(turn.lease_token) for turn in turns])
    for turn in turns:
        turn.refresh_from_db()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE relation = 'turns'::regclass AND NOT granted")
        return cursor.fetchone() is not None


class TestRenew:
    def test_gives_every_turn_that_is_held_more_time(self, db, settings):
        now = timezone.now()
        turns = [TurnFactory(lease_expires_at=now, state=state) for state in Turn.OPEN]

        renew(*turns)

        lease = timedelta(milliseconds=settings.TURN_LEASE)
        assert all(turn.lease_expires_at >= now + lease for turn in turns)

    def test_never_gives_more_than_to_the_deadline(self, db):
        deadline = timezone.now() + timedelta(seconds=1)
        turn = TurnFactory(deadline_at=deadline)

        renew(turn)

        assert turn.lease_expires_at == deadline

    def test_past_the_deadline_ends_the_lease(self, db):
        deadline = timezone.now() - timedelta(seconds=1)
        turn = TurnFactory(deadline_at=deadline)

        renew(turn)

        assert turn.lease_expires_at == deadline

    @pytest.mark.parametrize("state", ["done", "failed"])
    def test_leaves_a_turn_alone_that_has_ended(self, db, state):
        turn = TurnFactory(state=state)
        before = turn.lease_expires_at

        renew(turn)

        assert turn.lease_expires_at == before

    def test_leaves_a_turn_alone_that_somebody_else_holds(self, db):
        turn = TurnFactory()
        before = turn.lease_expires_at

        leases.renew([str(uuid.uuid4())])

        turn.refresh_from_db()
        assert turn.lease_expires_at == before

    def test_does_not_wait_for_a_turn_that_another_transaction_has_locked(self, transactional_db):
        locked, free = TurnFactory(), TurnFactory()
        renewed = {}

        def renew_both() -> None:
            try:
                renewed["tokens"] = leases.renew([str(turn.lease_token) for turn in (locked, free)])
            finally:
                connection.close()

        with transaction.atomic():
            Turn.objects.select_for_update().get(pk=locked.pk)
            renewing = threading.Thread(target=renew_both)
            renewing.start()
            renewing.join(PATIENCE)

        assert renewed == {"tokens": [str(free.lease_token)]}


class TestHeld:
    def test_renews_for_as_long_as_the_body_runs(self, transactional_db, settings):
        settings.TURN_LEASE = 300
        turn = TurnFactory(lease_expires_at=timezone.now() - timedelta(seconds=1))

        with leases.held(str(turn.lease_token)):
            wait_until(
                lambda: Turn.objects.get().lease_expires_at > timezone.now(), what="the lease is renewed"
            )

        assert str(turn.lease_token) not in leases._keeper._held

    def test_is_renewed_again_soon_after_postgres_did_not_take_a_renewal(self, transactional_db, settings):
        settings.TURN_LEASE = 300
        turn = TurnFactory(lease_expires_at=timezone.now() - timedelta(seconds=1))

        with leases._Keeper().held(str(turn.lease_token)):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("LOCK TABLE turns IN EXCLUSIVE MODE")
                wait_until(_somebody_waits, what="the renewal waits for the table")
                # From here on renewals are 20 minutes apart.
                settings.TURN_LEASE = 3_600_000
                wait_until(lambda: not _somebody_waits(), what="the renewal fails: lock_timeout")

            wait_until(
                lambda: Turn.objects.get().lease_expires_at > timezone.now(), what="the lease is renewed"
            )

    def test_stops_when_the_body_fails(self):
        with pytest.raises(ZeroDivisionError), leases.held("token"):
            1 / 0  # noqa: B018

        assert "token" not in leases._keeper._held
