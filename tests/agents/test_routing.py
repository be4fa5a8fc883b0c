"""Who answers on a number."""

import pytest
from django.db import IntegrityError
from django.utils import timezone

from agents import routing
from agents.models import Agent
from tests.factories import AgentFactory, PhoneNumberFactory


def key(agent: Agent) -> str:
    return f"user:{agent.user_id}:phone:{agent.phone_number_id}"


class TestGet:
    def test_names_the_live_agent(self, valkey, db):
        agent = AgentFactory()

        found = routing.get(agent.phone_number_id)

        assert found == {"user_id": agent.user_id, "agent_id": agent.agent_id, "prompt_id": agent.prompt_id}

    def test_keeps_it_for_a_while(self, valkey, db, settings, django_assert_num_queries):
        agent = AgentFactory()
        first = routing.get(agent.phone_number_id)

        with django_assert_num_queries(0):
            second = routing.get(agent.phone_number_id)

        assert second == first
        assert 0 < valkey.ttl(key(agent)) <= settings.REDIS_TTL_DEFAULT

    def test_of_an_unknown_number_is_nobody(self, valkey, db):
        assert routing.get("999999999999999") is None

    def test_without_an_agent_is_nobody_and_not_kept(self, valkey, db):
        number = PhoneNumberFactory()
        before = routing.get(number.phone_number_id)

        AgentFactory(phone_number=number)

        assert before is None
        assert routing.get(number.phone_number_id) is not None

    @pytest.mark.parametrize("deleted", ["deleted_at", "phone_number__deleted_at"])
    def test_of_a_deleted_agent_or_number_is_nobody(self, valkey, db, deleted):
        agent = AgentFactory(**{deleted: timezone.now()})

        assert routing.get(agent.phone_number_id) is None

    def test_reads_postgres_while_redis_is_down(self, servers, valkey, db):
        agent = AgentFactory()

        servers.valkey.kill()
        try:
            found = routing.get(agent.phone_number_id)
        finally:
            servers.valkey.start()

        assert found is not None
        assert found["agent_id"] == agent.agent_id


class TestDrop:
    def test_forgets_on_commit(self, valkey, db, django_capture_on_commit_callbacks):
        old = AgentFactory()
        routing.get(old.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            Agent.objects.filter(pk=old.pk).update(deleted_at=timezone.now())
            new = AgentFactory(phone_number=old.phone_number)
            routing.drop(user_id=old.user_id, phone_number_id=old.phone_number_id)
            before_commit = routing.get(old.phone_number_id)
        after_commit = routing.get(old.phone_number_id)

        assert (before_commit["agent_id"], after_commit["agent_id"]) == (old.agent_id, new.agent_id)

    def test_without_redis_does_no_harm(self, servers, valkey, db, django_capture_on_commit_callbacks):
        servers.valkey.kill()
        try:
            with django_capture_on_commit_callbacks(execute=True):
                routing.drop(user_id="usr_1", phone_number_id="1")
        finally:
            servers.valkey.start()


class TestAgent:
    def test_is_the_only_live_one_of_its_number(self, db):
        agent = AgentFactory()

        with pytest.raises(IntegrityError, match="one_live_per_number"):
            AgentFactory(phone_number=agent.phone_number)
