"""Shutdown dates of models are read from OpenAI, and each business that uses one is warned in time."""

import json
from datetime import date, timedelta

import pytest
from django.utils import timezone

from agents import model_endings, tasks
from agents.models import ModelShutdown
from billing.models import Event
from config.lib.errors import UnavailableError
from tests.factories import AgentFactory, PromptFactory, PromptVersionFactory

TODAY = date(2026, 11, 30)


def ending() -> list[dict]:
    return list(Event.objects.filter(type="model.ending").order_by("sequence").values_list("data", flat=True))


def agent_with(model: str, **fields):
    """Create an agent whose prompt's current version names a model."""
    agent = AgentFactory(**fields)
    version = PromptVersionFactory(prompt__user=agent.user, model=model)
    agent.prompt_id = version.prompt_id
    agent.save()
    return agent


def ends(model: str, on: date | None) -> None:
    ModelShutdown.objects.update_or_create(model=model, defaults={"shutdown_on": on})


class TestRefresh:
    def test_stores_the_dates_that_openai_reports(self, model, db):
        model.behave(models={"gpt-old": "2026-12-11", "gpt-new": None})

        model_endings.refresh()

        assert dict(ModelShutdown.objects.values_list("model", "shutdown_on")) == {
            "gpt-old": date(2026, 12, 11), "gpt-new": None,
        }  # fmt: skip

    def test_a_date_that_is_moved_or_withdrawn_is_stored(self, model, db):
        ends("gpt-moved", date(2026, 12, 1))
        ends("gpt-kept", date(2026, 12, 1))
        ends("gpt-unlisted", date(2026, 12, 1))
        model.behave(models={"gpt-moved": "2027-02-01", "gpt-kept": None})

        model_endings.refresh()

        assert dict(ModelShutdown.objects.values_list("model", "shutdown_on")) == {
            "gpt-moved": date(2027, 2, 1), "gpt-kept": None, "gpt-unlisted": date(2026, 12, 1),
        }  # fmt: skip

    @pytest.mark.parametrize(
        "entry",
        [
            {"id": "gpt-x"},
            {"id": "gpt-x", "shutdown_date": None},
            {"id": "gpt-x", "shutdown_date": "soon"},
            {"id": "gpt-x", "shutdown_date": 20261211},
            {"id": "gpt-x", "shutdown_date": {}},
        ],
    )
    def test_a_model_without_a_usable_date_has_none(self, db, broken_server, entry):
        answer = {"data": [entry, "rubbish", {"id": 7}, {"id": ""}, {"id": "x" * 300}]}
        broken_server.answer(json.dumps(answer).encode())

        model_endings.refresh()

        assert list(ModelShutdown.objects.values_list("model", "shutdown_on")) == [("gpt-x", None)]

    @pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"id": "gpt-x"}}])
    def test_an_answer_that_is_no_list_changes_nothing(self, db, broken_server, settings, answer):
        settings.OPENAI_MAX_RETRIES = 1
        ends("gpt-old", TODAY)
        broken_server.answer(json.dumps(answer).encode())

        with pytest.raises(UnavailableError):
            model_endings.refresh()

        assert list(ModelShutdown.objects.values_list("model", "shutdown_on")) == [("gpt-old", TODAY)]


class TestReport:
    @pytest.mark.parametrize(
        ("days", "raised"), [(60, 0), (31, 0), (30, 1), (8, 1), (7, 1), (1, 1), (0, 1), (-5, 1)]
    )
    def test_a_business_is_warned_from_thirty_days_ahead(self, db, days, raised):
        agent = agent_with("gpt-old")
        ends("gpt-old", TODAY + timedelta(days=days))

        assert model_endings.report(TODAY) == raised
        assert [(data["model"], data["days_left"]) for data in ending()] == [
            ("gpt-old", max(0, days))
        ] * raised
        assert all(data["prompt_ids"] == [agent.prompt_id] for data in ending())

    def test_each_threshold_is_reported_once(self, db):
        agent_with("gpt-old")
        on = date(2027, 1, 14)
        ends("gpt-old", on)

        counts = {
            days: model_endings.report(on - timedelta(days=days)) for days in (40, 30, 29, 8, 7, 6, 1, 0, -1)
        }

        assert {days for days, count in counts.items() if count} == {30, 7, 0}

    def test_each_business_is_warned_of_its_own_models(self, db):
        agents = [agent_with("gpt-old"), agent_with("gpt-old"), agent_with("gpt-new")]
        ends("gpt-old", TODAY)

        assert model_endings.report(TODAY) == 2
        warned = set(Event.objects.values_list("user_id", flat=True))
        assert warned == {agent.user_id for agent in agents[:2]}

    def test_a_model_that_an_agent_is_held_on_by_its_version_counts(self, db):
        agent = agent_with("gpt-old", prompt_version=1)
        prompt = PromptVersionFactory(prompt_id=agent.prompt_id, number=2, model="gpt-new").prompt
        prompt.current_version = 2
        prompt.save()
        ends("gpt-old", TODAY)

        assert model_endings.report(TODAY) == 1

    def test_an_older_version_that_nobody_uses_does_not_count(self, db):
        agent = agent_with("gpt-old")
        prompt = PromptVersionFactory(prompt_id=agent.prompt_id, number=2, model="gpt-new").prompt
        prompt.current_version = 2
        prompt.save()
        ends("gpt-old", TODAY)

        assert model_endings.report(TODAY) == 0

    def test_the_prompt_for_extraction_counts(self, db):
        PromptVersionFactory(prompt=PromptFactory(purpose="extraction"), model="gpt-old")
        ends("gpt-old", TODAY)

        assert model_endings.report(TODAY) == 1

    @pytest.mark.parametrize("setting", ["OPENAI_MODEL", "OPENAI_TRANSCRIBE_MODEL"])
    def test_a_default_of_the_service_counts_for_businesses_with_agents(self, db, settings, setting):
        setattr(settings, setting, "gpt-old")
        AgentFactory()
        AgentFactory(deleted_at=timezone.now(), prompt_id="prm_gone")
        ends("gpt-old", TODAY)

        assert model_endings.report(TODAY) == 1
        assert ending()[0]["is_default"] is True


class TestEnding:
    def test_models_in_use_are_listed_by_date_with_their_businesses(self, db):
        for model in ("gpt-a", "gpt-a", "gpt-b", "gpt-late"):
            agent_with(model)
        ends("gpt-a", TODAY + timedelta(days=50))
        ends("gpt-b", TODAY - timedelta(days=2))
        ends("gpt-late", TODAY + timedelta(days=90))
        ends("gpt-unused", TODAY)

        assert [(row["model"], row["businesses"]) for row in model_endings.ending(today=TODAY)] == [
            ("gpt-b", 1),
            ("gpt-a", 2),
        ]


class TestTask:
    def test_reads_the_models_and_raises_both_kinds_of_events(self, model, transactional_db, valkey):
        agent_with("gpt-old")
        AgentFactory(prompt_id="pmpt_123")
        model.behave(models={"gpt-old": str(timezone.now().date() + timedelta(days=5))})

        for _ in range(2):
            tasks.check_endings()

        assert sorted(Event.objects.values_list("type", flat=True)) == ["model.ending", "prompt.ended"]

    def test_known_dates_are_reported_while_openai_is_away(self, model, transactional_db, valkey):
        agent_with("gpt-old")
        ends("gpt-old", timezone.now().date())
        model.behave(openai={"errors": {"401": 1}})

        tasks.check_endings()

        assert [data["model"] for data in ending()] == ["gpt-old"]
