"""A holder that is alive keeps its turns, and a dead one's run out."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from conversations import leases
from conversations.models import Turn
from tests.factories import TurnFactory
from tests.rig import wait_until


def renew(*turns: Turn) -> None:
    leases.renew([str(turn.lease_token) for turn in turns])
    for turn in turns:
        turn.refresh_from_db()


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


class TestHeld:
    def test_renews_for_as_long_as_the_body_runs(self, transactional_db, settings):
        settings.TURN_LEASE = 300
        turn = TurnFactory(lease_expires_at=timezone.now() - timedelta(seconds=1))

        with leases.held(str(turn.lease_token)):
            wait_until(
                lambda: Turn.objects.get().lease_expires_at > timezone.now(), what="the lease is renewed"
            )

        assert str(turn.lease_token) not in leases._keeper._held

    def test_stops_when_the_body_fails(self):
        with pytest.raises(ZeroDivisionError), leases.held("token"):
            1 / 0  # noqa: B018

        assert "token" not in leases._keeper._held
