"""Agents whose prompt OpenAI switches off are named."""

import pytest
from django.core import checks
from django.utils import timezone

from tests.factories import AgentFactory


def warnings(**asked) -> list[str]:
    found = checks.run_checks(**asked)
    return [warning.msg for warning in found if warning.id == "agents.W001"]


class TestDashboardPrompts:
    def test_are_named_with_their_agent(self, db):
        AgentFactory()
        agent = AgentFactory(prompt_id="pmpt_123")

        [warning] = warnings(databases=["default"])

        assert agent.agent_id in warning
        assert "pmpt_123" in warning

    def test_are_counted_and_only_the_first_are_named(self, db):
        for _ in range(7):
            AgentFactory(prompt_id="pmpt_123")

        [warning] = warnings(databases=["default"])

        assert warning.startswith("7 agents name a prompt of OpenAI's dashboard")
        assert warning.count("agt_") == 5
        assert warning.endswith("and 2 more.")

    def test_of_deleted_agents_are_not(self, db):
        AgentFactory(prompt_id="pmpt_123", deleted_at=timezone.now())

        assert warnings(databases=["default"]) == []

    @pytest.mark.parametrize("asked", [{}, {"databases": []}])
    def test_are_looked_for_only_where_a_database_is_named(self, django_assert_num_queries, db, asked):
        AgentFactory(prompt_id="pmpt_123")

        with django_assert_num_queries(0):
            assert warnings(**asked) == []
