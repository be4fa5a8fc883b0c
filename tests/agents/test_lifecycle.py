"""Agents come, change and go."""

import json

import pytest
from django.utils import timezone

from agents import lifecycle, routing
from agents.models import Agent, ConversationArchive, Prompt
from agents.prompt_versions import PromptNotFoundError
from agents.relinking import NotFoundError, NumberTakenError
from channels_app.models import PhoneNumber
from config.lib import jobs
from config.lib.jobs import Job
from config.lib.tenancy import TenantMissingError
from tests.factories import AgentFactory, PhoneNumberFactory, PromptVersionFactory, UserFactory
from tests.racing import at_once


@pytest.fixture
def prompt(db) -> Prompt:
    return PromptVersionFactory().prompt


@pytest.fixture
def number(prompt) -> PhoneNumber:
    """A free number of the prompt's user."""
    return PhoneNumberFactory(user=prompt.user)


def created(prompt, **changes) -> Agent:
    usual = {
        "user_id": prompt.user_id,
        "phone_number_id": None,
        "prompt_id": prompt.prompt_id,
        "name": "Shop",
    }
    return lifecycle.create(**{**usual, **changes})


def rung_for(valkey) -> list[str]:
    jobs.flush()
    rings = [json.loads(ring) for ring in valkey.lrange(jobs.queue(Job.CLOSE_CONVERSATIONS, {}), 0, -1)]
    return [json.loads(ring["body"])[1]["archive_id"] for ring in rings]


class TestOf:
    def test_keeps_what_belongs_to_the_user(self, db):
        mine, _ = AgentFactory(), AgentFactory()
        archive = ConversationArchive.objects.create(old_agent=mine, phone_number=mine.phone_number)

        user = mine.user_id

        assert list(Agent.objects.of(user)) == [mine]
        assert [prompt.pk for prompt in Prompt.objects.of(user)] == [mine.prompt_id]
        assert list(ConversationArchive.objects.of(user)) == [archive]

    @pytest.mark.parametrize("model", [Agent, Prompt, ConversationArchive])
    def test_is_refused_without_saying_whose(self, db, model):
        with pytest.raises(TenantMissingError):
            model.objects.of("")


class TestCreate:
    def test_makes_an_agent_that_answers_on_a_number(
        self, valkey, prompt, number, django_capture_on_commit_callbacks
    ):
        before = routing.get(number.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            agent = created(prompt, phone_number_id=number.phone_number_id, handover_enabled=True)

        assert before is None
        assert routing.get(number.phone_number_id)["agent_id"] == agent.agent_id
        assert Agent.objects.get().handover_enabled

    def test_makes_one_without_a_number(self, prompt):
        created(prompt, prompt_version=1)

        agent = Agent.objects.get()
        assert (agent.phone_number, agent.prompt_version) == (None, 1)

    def test_names_who_answers_on_a_taken_number(self, prompt, number):
        present = created(prompt, phone_number_id=number.phone_number_id)

        with pytest.raises(NumberTakenError) as refused:
            created(prompt, phone_number_id=number.phone_number_id)

        assert refused.value.agent_id == present.agent_id

    @pytest.mark.parametrize("whose", ["another's", "deleted", "none"])
    def test_needs_a_live_number_of_the_user(self, prompt, whose):
        numbers = {
            "another's": PhoneNumberFactory,
            "deleted": lambda: PhoneNumberFactory(user=prompt.user, deleted_at=timezone.now()),
            "none": lambda: PhoneNumberFactory.build(user=prompt.user),
        }

        with pytest.raises(NotFoundError):
            created(prompt, phone_number_id=numbers[whose]().phone_number_id)

    def test_needs_a_user(self, prompt):
        with pytest.raises(TenantMissingError):
            created(prompt, user_id="")
        with pytest.raises(NotFoundError):
            created(prompt, user_id="usr_none")

    def test_takes_a_prompt_of_openais_dashboard(self, prompt):
        assert created(prompt, prompt_id="pmpt_68f0ab").prompt_id == "pmpt_68f0ab"

    @pytest.mark.parametrize("prompt_id", ["prm_none", "pmpt_", "pmpt_a b", "x", ""])
    def test_refuses_a_prompt_nobody_has(self, prompt, prompt_id):
        with pytest.raises(PromptNotFoundError):
            created(prompt, prompt_id=prompt_id)

    @pytest.mark.parametrize("prompt_id", ["prm_theirs", "pmpt_theirs"])
    def test_refuses_a_prompt_of_another(self, prompt, prompt_id):
        PromptVersionFactory(prompt__prompt_id=prompt_id, prompt__user=UserFactory())

        with pytest.raises(PromptNotFoundError):
            created(prompt, prompt_id=prompt_id)

    def test_refuses_a_version_that_does_not_exist(self, prompt):
        for prompt_id, version in ((prompt.prompt_id, 2), ("pmpt_68f0ab", 1)):
            with pytest.raises(PromptNotFoundError):
                created(prompt, prompt_id=prompt_id, prompt_version=version)

    def test_of_several_at_once_lets_one_through(self, valkey, transactional_db):
        prompt = PromptVersionFactory().prompt
        number = PhoneNumberFactory(user=prompt.user).phone_number_id

        ended = at_once(*[lambda: created(prompt, phone_number_id=number)] * 4)

        assert sorted(ended) == ["NumberTakenError"] * 3 + ["done"]
        assert Agent.objects.live().filter(phone_number_id=number).count() == 1


class TestChange:
    def test_changes_what_is_given_and_leaves_the_rest(self, valkey, db):
        agent = AgentFactory(name="Old")

        lifecycle.change(agent_id=agent.agent_id, fallback_message="Later.", handover_enabled=True)

        changed = Agent.objects.get()
        assert (changed.name, changed.fallback_message, changed.handover_enabled) == ("Old", "Later.", True)
        assert changed.phone_number_id == agent.phone_number_id

    def test_is_known_at_once(self, valkey, db, django_capture_on_commit_callbacks):
        agent = AgentFactory()
        routing.get(agent.phone_number_id)
        other = PromptVersionFactory(prompt__user=agent.user).prompt

        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.change(agent_id=agent.agent_id, prompt_id=other.prompt_id)

        assert routing.get(agent.phone_number_id)["prompt_id"] == other.prompt_id

    def test_to_another_prompt_lets_go_of_the_version(self, valkey, db):
        agent = AgentFactory(prompt_version=1)
        other = PromptVersionFactory(prompt__user=agent.user, number=7).prompt

        changed = lifecycle.change(agent_id=agent.agent_id, prompt_id=other.prompt_id)
        pinned = lifecycle.change(agent_id=agent.agent_id, prompt_version=7)

        assert (changed.prompt_version, pinned.prompt_version) == (None, 7)

    def test_refuses_what_creating_refuses(self, valkey, db):
        agent = AgentFactory()

        for changes in ({"prompt_id": PromptVersionFactory().prompt_id}, {"prompt_version": 2}):
            with pytest.raises(PromptNotFoundError):
                lifecycle.change(agent_id=agent.agent_id, **changes)

    def test_does_not_move_an_agent(self, db):
        with pytest.raises(TypeError):
            lifecycle.change(agent_id=AgentFactory().agent_id, phone_number_id=None)

    def test_needs_a_live_agent(self, db):
        deleted = AgentFactory(deleted_at=timezone.now())

        for agent_id in (deleted.agent_id, "agt_none"):
            with pytest.raises(NotFoundError):
                lifecycle.change(agent_id=agent_id, name="x")


class TestDelete:
    def test_hides_the_agent_and_ends_its_talks(self, valkey, db, django_capture_on_commit_callbacks):
        agent = AgentFactory()
        routing.get(agent.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            lifecycle.delete(agent_id=agent.agent_id)

        archive = ConversationArchive.objects.get()
        assert not Agent.objects.live().exists()
        assert (archive.old_agent, archive.new_agent, archive.closed_at) == (agent, None, None)
        assert routing.get(agent.phone_number_id) is None
        assert rung_for(valkey) == [archive.archive_id]

    def test_again_does_nothing(self, valkey, db):
        agent = AgentFactory()
        lifecycle.delete(agent_id=agent.agent_id)
        deleted_at = Agent.objects.get().deleted_at

        lifecycle.delete(agent_id=agent.agent_id)

        assert Agent.objects.get().deleted_at == deleted_at
        assert ConversationArchive.objects.count() == 1

    def test_of_what_never_was_is_refused(self, db):
        with pytest.raises(NotFoundError):
            lifecycle.delete(agent_id="agt_none")

    def test_frees_the_number(self, valkey, prompt, number):
        lifecycle.delete(agent_id=created(prompt, phone_number_id=number.phone_number_id).agent_id)

        created(prompt, phone_number_id=number.phone_number_id)

        assert Agent.objects.live().get().phone_number == number

    def test_several_times_at_once_happens_once(self, valkey, transactional_db):
        agent = AgentFactory()

        ended = at_once(*[lambda: lifecycle.delete(agent_id=agent.agent_id)] * 4)

        assert ended == ["done"] * 4
        assert ConversationArchive.objects.count() == 1
