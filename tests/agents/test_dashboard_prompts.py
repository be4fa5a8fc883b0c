"""Agents that name a prompt of OpenAI's dashboard are found, reported once and moved to a prompt of ours."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents import dashboard_prompts
from agents.models import Agent, Prompt
from billing.models import AuditEntry, Event
from tests.factories import AgentFactory, UserFactory


@pytest.fixture
def agent(db) -> Agent:
    return AgentFactory(prompt_id="pmpt_123", name="Bakery")


def ended() -> list[dict]:
    found = Event.objects.filter(type="prompt.ended").order_by("sequence")
    return list(found.values_list("data", flat=True))


def from_standard_input(monkeypatch, text: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))


class TestAgents:
    def test_only_live_agents_with_a_dashboard_prompt_are_found(self, agent):
        AgentFactory()
        AgentFactory(prompt_id="pmpt_123", deleted_at=timezone.now())

        assert list(dashboard_prompts.agents()) == [agent]

    def test_the_command_lists_them_as_json(self, agent, capsys):
        call_command("list_dashboard_prompts")

        output = capsys.readouterr()
        assert json.loads(output.out) == {
            "user_id": agent.user_id,
            "company_name": "Test",
            "prompt_id": "pmpt_123",
            "agent_id": agent.pk,
            "agent_name": "Bakery",
            "phone_number_id": agent.phone_number_id,
        }
        assert output.err == "1 agents name a prompt of OpenAI's dashboard.\n"


class TestReport:
    def test_an_event_is_raised_once_per_agent_and_prompt(self, agent):
        AgentFactory()

        assert [dashboard_prompts.report_all(), dashboard_prompts.report_all()] == [1, 0]
        assert dashboard_prompts.report_refusal(agent_id=agent.pk, reason="model: 404") is False
        assert ended() == [
            {
                "agent_id": agent.pk,
                "agent_name": "Bakery",
                "phone_number_id": agent.phone_number_id,
                "prompt_id": "pmpt_123",
                "reason": "ended",
            }
        ]

    def test_another_dashboard_prompt_of_the_agent_raises_another_event(self, agent):
        dashboard_prompts.report_all()
        Agent.objects.update(prompt_id="pmpt_456")

        dashboard_prompts.report_all()

        assert [data["prompt_id"] for data in ended()] == ["pmpt_123", "pmpt_456"]

    def test_an_agent_with_a_prompt_of_ours_is_not_reported(self, db):
        agent = AgentFactory()

        assert dashboard_prompts.report_refusal(agent_id=agent.pk, reason="model: 404") is False
        assert ended() == []


class TestReplace:
    def test_all_agents_of_the_business_that_name_the_prompt_get_the_new_one(self, agent):
        sibling = AgentFactory(phone_number__user=agent.user, prompt_id="pmpt_123")
        spared = [
            AgentFactory(phone_number__user=agent.user, prompt_id="pmpt_456"),
            AgentFactory(prompt_id="pmpt_123"),
        ]

        prompt, agent_ids = dashboard_prompts.replace(
            user_id=agent.user_id, prompt_id="pmpt_123", instructions="Be kind.", model="gpt-6-luna"
        )

        assert sorted(agent_ids) == sorted([agent.pk, sibling.pk])
        assert set(Agent.objects.filter(pk__in=agent_ids).values_list("prompt_id", flat=True)) == {prompt.pk}
        assert [Agent.objects.get(pk=other.pk).prompt_id for other in spared] == ["pmpt_456", "pmpt_123"]
        version = prompt.versions.get()
        assert (version.instructions, version.model) == ("Be kind.", "gpt-6-luna")
        assert prompt.name == "Imported from pmpt_123"

    def test_the_audit_log_has_the_prompt_and_each_agent(self, agent):
        prompt, _ = dashboard_prompts.replace(
            user_id=agent.user_id, prompt_id="pmpt_123", instructions="Be kind."
        )

        entries = AuditEntry.objects.exclude(action="credits.granted").values_list("action", "object_id")
        assert list(entries.order_by("pk")) == [("prompt.created", prompt.pk), ("agent.updated", agent.pk)]

    def test_a_prompt_that_no_agent_names_is_not_imported(self, agent):
        with pytest.raises(dashboard_prompts.NoAgentsError):
            dashboard_prompts.replace(user_id=UserFactory().pk, prompt_id="pmpt_123", instructions="Be kind.")

        assert Prompt.objects.count() == 0


class TestImportCommand:
    def test_imports_a_file(self, agent, tmp_path, capsys):
        file = tmp_path / "prompt.txt"
        file.write_text("Hello {{customer_name}}, we open at {{opening}}.\n")

        call_command(
            "import_prompt", "pmpt_123", str(file), user=agent.user_id, name="Bakery",
            variables={"opening": {"type": "string", "default": "7"}},
        )  # fmt: skip

        prompt = Prompt.objects.get()
        assert prompt.name == "Bakery"
        assert prompt.versions.get().instructions == "Hello {{customer_name}}, we open at {{opening}}."
        assert capsys.readouterr().out == f"Created {prompt.pk} for {agent.pk}.\n"
        assert AuditEntry.objects.filter(actor_id="import_prompt").count() == 2

    def test_imports_standard_input(self, agent, monkeypatch):
        from_standard_input(monkeypatch, "Sé amable.".encode())

        call_command("import_prompt", "pmpt_123", user=agent.user_id)

        assert Prompt.objects.get().versions.get().instructions == "Sé amable."

    @pytest.mark.parametrize(
        ("text", "error"),
        [(b"\xff", "not UTF-8"), (b"", "cannot be a prompt"), (b"We open at {{opening}}.", "opening")],
    )
    def test_a_text_that_cannot_be_a_prompt_changes_nothing(self, agent, monkeypatch, text, error):
        from_standard_input(monkeypatch, text)

        with pytest.raises(CommandError, match=error):
            call_command("import_prompt", "pmpt_123", user=agent.user_id)

        agent.refresh_from_db()
        assert (agent.prompt_id, Prompt.objects.count()) == ("pmpt_123", 0)

    def test_an_unknown_prompt_or_file_is_named(self, agent, monkeypatch):
        from_standard_input(monkeypatch, b"Be kind.")

        with pytest.raises(CommandError, match="pmpt_9"):
            call_command("import_prompt", "pmpt_9", user=agent.user_id)
        with pytest.raises(CommandError, match=r"nowhere\.txt cannot be read"):
            call_command("import_prompt", "pmpt_123", "nowhere.txt", user=agent.user_id)
