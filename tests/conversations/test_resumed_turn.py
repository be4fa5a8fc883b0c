"""A turn whose holder vanished is taken up where it stands."""

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.answering import open_turn
from conversations.answering.open_turn import AnswerSettings, OpenTurn
from conversations.models import Turn
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    TurnFactory,
)


@pytest.fixture
def agent(db):
    return AgentFactory()


def turn_of(agent, **changes) -> Turn:
    customer = CustomerFactory(phone_number=agent.phone_number)
    return TurnFactory(conversation=ConversationFactory(agent=agent, customer=customer), **changes)


def expired(agent, **changes) -> Turn:
    return turn_of(agent, lease_expires_at=timezone.now() - timedelta(seconds=1), **changes)


def claim(agent, **how) -> OpenTurn | None:
    return answering.claim(agent.phone_number_id, **how)


class TestResume:
    def test_comes_before_any_new_turn(self, agent):
        InboundMessageFactory(customer__phone_number=agent.phone_number)
        left = expired(agent)

        turns = [claim(agent), claim(agent)]

        assert turns[0].turn_id == left.turn_id
        assert turns[1].turn_id != left.turn_id

    def test_takes_the_oldest_first(self, agent):
        left = [expired(agent).turn_id, expired(agent).turn_id]

        assert [claim(agent).turn_id, claim(agent).turn_id] == sorted(left)

    def test_gives_a_new_lease_and_a_new_deadline(self, agent):
        left = expired(agent, deadline_at=timezone.now() - timedelta(seconds=1))

        turn = claim(agent)

        row = Turn.objects.get()
        assert str(row.lease_token) == turn.lease_token != str(left.lease_token)
        assert row.lease_expires_at > timezone.now()
        assert row.deadline_at > timezone.now()

    def test_knows_what_the_turn_knew(self, agent):
        left = expired(agent, state="answered")

        turn = claim(agent)

        assert (turn.state, turn.settings) == ("answered", AnswerSettings.from_json(left.snapshot))
        assert (turn.customer_id, turn.conversation_id) == (left.customer_id, left.conversation_id)

    def test_is_free_whatever_the_balance(self, agent):
        from billing.models import Credit

        expired(agent)
        Credit.objects.update(remaining_credits=0)

        assert claim(agent) is not None

    def test_does_not_wait_for_a_free_slot(self, agent, settings):
        settings.PHONE_NUMBER_CONCURRENCY = 1
        expired(agent)

        assert claim(agent) is not None

    @pytest.mark.parametrize(
        "changes",
        [
            {"lease_expires_at": timedelta(seconds=30)},
            {"lease_expires_at": timedelta(seconds=-1), "not_before": timedelta(minutes=1)},
            {"lease_expires_at": timedelta(seconds=-1), "state": "done"},
            {"lease_expires_at": timedelta(seconds=-1), "state": "failed"},
        ],
    )
    def test_leaves_alone_what_is_held_ended_or_to_wait(self, agent, changes):
        now = timezone.now()
        turn_of(agent, **{k: now + v if isinstance(v, timedelta) else v for k, v in changes.items()})

        assert claim(agent) is None

    def test_takes_up_what_was_to_wait_when_its_time_has_come(self, agent):
        expired(agent, not_before=timezone.now() - timedelta(seconds=1))

        assert claim(agent) is not None

    def test_takes_nothing_of_another_number(self, agent):
        expired(AgentFactory())

        assert claim(agent) is None


class TestAttempts:
    @pytest.mark.parametrize(
        ("state", "was_held", "counted"),
        [("claimed", True, 1), ("claimed", False, 0), ("answered", True, 0), ("answered", False, 0)],
    )
    def test_count_holders_that_vanished_before_the_answer(self, agent, state, was_held, counted):
        changes = {} if was_held else {"lease_token": None}
        expired(agent, state=state, **changes)

        assert claim(agent).attempts == counted
        assert Turn.objects.get().attempts == counted

    def test_make_a_turn_poisonous_when_the_third_vanishes(self, agent):
        expired(agent)
        seen = [claim(agent).is_poisonous]
        for _ in range(2):
            Turn.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
            seen.append(claim(agent, quarantined=True).is_poisonous)

        assert seen == [False, False, True]

    def test_put_a_turn_that_lost_two_holders_into_quarantine(self, agent):
        expired(agent, attempts=1)

        assert claim(agent) is None
        assert claim(agent, quarantined=True).attempts == 2

    def test_leave_everything_else_out_of_quarantine(self, agent):
        expired(agent)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert claim(agent, quarantined=True) is None


class TestClose:
    def test_ends_a_turn_and_its_messages(self, agent):
        message = InboundMessageFactory(customer__phone_number=agent.phone_number)
        turn = claim(agent)

        open_turn.close([turn.turn_id])

        row = Turn.objects.get()
        message.refresh_from_db()
        assert (row.state, row.error, row.closed_at is None) == ("done", "", False)
        assert message.status == "done"
        assert row.messages.get().status == "delivered"

    def test_with_an_error_fails_them_and_says_why(self, agent):
        message = InboundMessageFactory(customer__phone_number=agent.phone_number)
        turn = claim(agent)

        open_turn.close([turn.turn_id], error="e" * 300)

        row = Turn.objects.get()
        message.refresh_from_db()
        said = row.messages.get()
        assert (row.state, row.error) == ("failed", "e" * 255)
        assert (message.status, message.reason) == ("failed", "e" * 255)
        assert (said.status, said.failure_reason, said.failed_at is None) == ("failed", "e" * 255, False)
