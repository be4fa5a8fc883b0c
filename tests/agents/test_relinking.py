"""A number moves to another agent, in one piece or not at all."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from agents import routing
from agents.models import Agent, ConversationArchive
from agents.relinking import AlreadyThereError, NotFoundError, NumberTakenError, relink, unlink
from config.lib import jobs
from config.lib.jobs import Job
from tests.factories import AgentFactory, PhoneNumberFactory


@pytest.fixture
def here(db) -> Agent:
    """An agent on its number."""
    return AgentFactory()


@pytest.fixture
def there(here) -> Agent:
    """Another agent of the same user, on another number."""
    return AgentFactory(phone_number=PhoneNumberFactory(user=here.user))


def number_of(agent: Agent) -> str | None:
    return Agent.objects.get(pk=agent.pk).phone_number_id


def rung_for(valkey) -> set[str]:
    """List the archives that a ring asks to be closed."""
    jobs.flush()
    rings = [json.loads(ring) for ring in valkey.lrange(jobs.queue(Job.CLOSE_CONVERSATIONS, {}), 0, -1)]
    assert {ring["headers"]["task"] for ring in rings} <= {Job.CLOSE_CONVERSATIONS}
    return {json.loads(ring["body"])[1]["archive_id"] for ring in rings}


def archives() -> set[tuple[str, str | None, str | None]]:
    return set(ConversationArchive.objects.values_list("phone_number_id", "old_agent_id", "new_agent_id"))


class TestRelink:
    def test_to_a_free_number_leaves_the_old_one(self, here):
        number = PhoneNumberFactory(user=here.user)

        archive = relink(agent_id=here.agent_id, phone_number_id=number.phone_number_id)

        assert number_of(here) == number.phone_number_id
        assert (archive.old_agent_id, archive.new_agent_id) == (None, here.agent_id)
        assert archives() == {
            (number.phone_number_id, None, here.agent_id),
            (here.phone_number_id, here.agent_id, None),
        }

    def test_has_nothing_to_close_where_nobody_answered(
        self, valkey, here, django_capture_on_commit_callbacks
    ):
        number = PhoneNumberFactory(user=here.user)

        with django_capture_on_commit_callbacks(execute=True):
            archive = relink(agent_id=here.agent_id, phone_number_id=number.phone_number_id)

        left = ConversationArchive.objects.get(phone_number=here.phone_number)
        assert archive.closed_at is not None
        assert left.closed_at is None
        assert rung_for(valkey) == {left.archive_id}

    def test_rings_for_each_number_that_is_left(
        self, valkey, here, there, django_capture_on_commit_callbacks
    ):
        with django_capture_on_commit_callbacks(execute=True):
            relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id, replace=True)
            before_commit = rung_for(valkey)

        assert before_commit == set()
        assert rung_for(valkey) == set(ConversationArchive.objects.values_list("pk", flat=True))

    def test_to_a_taken_number_names_who_answers_there(self, here, there):
        with pytest.raises(NumberTakenError, match=there.agent_id) as refused:
            relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id)

        assert refused.value.agent_id == there.agent_id
        assert (number_of(here), number_of(there)) == (here.phone_number_id, there.phone_number_id)
        assert archives() == set()

    def test_to_a_taken_number_can_replace_who_answers_there(self, here, there):
        archive = relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id, replace=True)

        assert (number_of(here), number_of(there)) == (there.phone_number_id, None)
        assert Agent.objects.live().filter(pk=there.pk).exists()
        assert (archive.old_agent, archive.new_agent) == (there, here)

    def test_of_an_agent_without_a_number_leaves_none(self, here, there):
        relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id, replace=True)

        relink(agent_id=there.agent_id, phone_number_id=here.phone_number_id)

        assert (number_of(here), number_of(there)) == (there.phone_number_id, here.phone_number_id)
        assert ConversationArchive.objects.count() == 3

    def test_takes_the_place_of_a_deleted_agent(self, here, there):
        Agent.objects.filter(pk=there.pk).update(deleted_at=timezone.now())

        relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id)

        assert number_of(here) == there.phone_number_id

    def test_to_the_same_number_is_refused(self, here):
        with pytest.raises(AlreadyThereError):
            relink(agent_id=here.agent_id, phone_number_id=here.phone_number_id, replace=True)

        assert archives() == set()

    def test_is_known_at_once_on_both_numbers(self, valkey, here, there, django_capture_on_commit_callbacks):
        for agent in (here, there):
            routing.get(agent.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id, replace=True)

        assert routing.get(here.phone_number_id) is None
        assert routing.get(there.phone_number_id)["agent_id"] == here.agent_id


class TestUnlink:
    def test_leaves_the_number_without_anybody(self, valkey, here, django_capture_on_commit_callbacks):
        routing.get(here.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            left = unlink(agent_id=here.agent_id)

        assert number_of(here) is None
        assert archives() == {(here.phone_number_id, here.agent_id, None)}
        assert routing.get(here.phone_number_id) is None
        assert rung_for(valkey) == {left.archive_id}

    def test_of_an_agent_without_a_number_does_nothing(self, here):
        unlink(agent_id=here.agent_id)

        assert unlink(agent_id=here.agent_id) is None
        assert len(archives()) == 1

    def test_is_refused_for_what_is_not_there(self, here):
        Agent.objects.filter(pk=here.pk).update(deleted_at=timezone.now())

        for agent in (here.agent_id, "agt_none"):
            with pytest.raises(NotFoundError):
                unlink(agent_id=agent)


class TestRelinkOfWhatIsNotThere:
    def test_is_refused_for_a_number_of_another_user(self, here):
        other = AgentFactory()

        for replace in (False, True):
            with pytest.raises(NotFoundError):
                relink(agent_id=here.agent_id, phone_number_id=other.phone_number_id, replace=replace)

        assert number_of(other) == other.phone_number_id

    @pytest.mark.parametrize("gone", ["number", "agent"])
    def test_is_refused_for_what_is_deleted(self, here, there, gone):
        thing = there.phone_number if gone == "number" else here
        type(thing).objects.filter(pk=thing.pk).update(deleted_at=timezone.now())

        with pytest.raises(NotFoundError):
            relink(agent_id=here.agent_id, phone_number_id=there.phone_number_id, replace=True)

    def test_is_refused_for_what_never_was(self, here):
        with pytest.raises(NotFoundError):
            relink(agent_id=here.agent_id, phone_number_id="999")
        with pytest.raises(NotFoundError):
            relink(agent_id="agt_none", phone_number_id=here.phone_number_id)


def at_once(*moves: tuple[Agent, str], replace: bool) -> list[str]:
    """Make all moves at the same time, and say how each of them ended."""
    ready = Barrier(len(moves))

    def move(wanted: tuple[Agent, str]) -> str:
        ready.wait(60)
        try:
            relink(agent_id=wanted[0].agent_id, phone_number_id=wanted[1], replace=replace)
        except (NumberTakenError, AlreadyThereError) as refused:
            return type(refused).__name__
        finally:
            connection.close()
        return "moved"

    with ThreadPoolExecutor(len(moves)) as pool:
        return list(pool.map(move, moves))


class TestTwoAtOnce:
    @pytest.mark.parametrize("replace", [False, True])
    def test_leave_one_agent_on_the_number(self, valkey, transactional_db, replace):
        here = AgentFactory()
        there = AgentFactory(phone_number=PhoneNumberFactory(user=here.user))
        number = PhoneNumberFactory(user=here.user).phone_number_id

        ended = at_once((here, number), (there, number), replace=replace)

        [present] = Agent.objects.live().filter(phone_number_id=number)
        assert sorted(ended) == (["moved", "moved"] if replace else ["NumberTakenError", "moved"])
        last = ConversationArchive.objects.filter(phone_number_id=number).latest("archived_at")
        assert last.new_agent == present

    def test_that_swap_numbers_end_without_a_deadlock(self, valkey, transactional_db):
        for _ in range(10):
            here = AgentFactory()
            there = AgentFactory(phone_number=PhoneNumberFactory(user=here.user))

            ended = at_once((here, there.phone_number_id), (there, here.phone_number_id), replace=True)

            assert ended == ["moved", "moved"]
            assert {number_of(here), number_of(there)} == {here.phone_number_id, there.phone_number_id}

    def test_of_one_agent_leave_it_on_one_number(self, valkey, transactional_db):
        here = AgentFactory()
        numbers = [PhoneNumberFactory(user=here.user).phone_number_id for _ in range(4)]

        ended = at_once(*((here, number) for number in numbers), replace=False)

        assert ended == ["moved"] * 4
        assert number_of(here) in numbers
        assert ConversationArchive.objects.filter(old_agent=here).count() == 4
