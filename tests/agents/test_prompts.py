"""What to say to the model."""

from datetime import UTC, datetime

import pytest
import structlog
from django.db import IntegrityError

from agents import prompts
from agents.models import PromptVersion
from config.lib.errors import RejectedError
from tests.factories import PromptFactory, PromptVersionFactory


class TestArguments:
    def test_of_our_prompt_are_its_model_instructions_and_parameters(self, db):
        version = PromptVersionFactory(
            number=3, instructions="Be brief.", model="gpt-test", parameters={"temperature": 0.2}
        )

        found = prompts.arguments(prompt_id=version.prompt_id, version=3)

        assert found == {"model": "gpt-test", "instructions": "Be brief.", "temperature": 0.2}

    def test_name_the_default_model_where_the_prompt_names_none(self, db, settings):
        version = PromptVersionFactory()
        settings.OPENAI_MODEL = "gpt-default"

        assert prompts.arguments(prompt_id=version.prompt_id, version=1)["model"] == "gpt-default"

    def test_never_let_parameters_replace_the_prompt(self, db):
        parameters = {"model": "other", "instructions": "other"}
        version = PromptVersionFactory(instructions="Be kind.", model="gpt-test", parameters=parameters)

        found = prompts.arguments(prompt_id=version.prompt_id, version=1)

        assert found == {"model": "gpt-test", "instructions": "Be kind."}

    def test_of_a_prompt_of_openai_pass_its_id_through(self):
        assert prompts.arguments(prompt_id="pmpt_123", version=None) == {"prompt": {"id": "pmpt_123"}}

    @pytest.mark.parametrize(
        ("day", "warnings"),
        [(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), 0), (datetime(2026, 12, 1, tzinfo=UTC), 1)],
    )
    def test_of_a_prompt_of_openai_warn_once_when_its_time_is_over(self, day, warnings):
        prompt_id = f"pmpt_{day.isoformat()}"

        with structlog.testing.capture_logs() as logged:
            for _ in range(3):
                context = prompts.Context(now=day)
                found = prompts.arguments(prompt_id=prompt_id, version=None, context=context)

        assert found == {"prompt": {"id": prompt_id}}
        assert [line["prompt_id"] for line in logged] == [prompt_id] * warnings

    def test_have_their_variables_filled(self, db):
        version = PromptVersionFactory(
            instructions="{{customer_name}}, {{ tone }}, {{local_time}}",
            variables={"tone": {"type": "string", "default": "warm"}},
        )
        now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

        found = [
            prompts.arguments(
                prompt_id=version.prompt_id,
                version=1,
                context=prompts.Context(customer_name=name, timezone="Asia/Kolkata", now=now),
            )["instructions"]
            for name in ("Ann", "Bob")
        ]

        assert found == ['"Ann", warm, 17:30', '"Bob", warm, 17:30']

    def test_of_a_version_that_does_not_exist_are_refused(self, db):
        version = PromptVersionFactory()

        with pytest.raises(RejectedError):
            prompts.arguments(prompt_id=version.prompt_id, version=7)

    def test_of_a_version_from_before_the_limit_of_length_are_refused(self, db):
        version = PromptVersionFactory(
            instructions="{{a}}" * 20_000, variables={"a": {"type": "string", "default": "x" * 10_000}}
        )

        with pytest.raises(RejectedError) as refused:
            prompts.arguments(prompt_id=version.prompt_id, version=1)

        assert refused.value.code == "prompt_too_long"

    def test_are_read_once(self, db, django_assert_num_queries):
        version = PromptVersionFactory()
        prompts.arguments(prompt_id=version.prompt_id, version=1)

        with django_assert_num_queries(0):
            prompts.arguments(prompt_id=version.prompt_id, version=1)


class TestVersion:
    def test_never_changes(self, db):
        version = PromptVersionFactory()

        with pytest.raises(IntegrityError, match="immutable"):
            PromptVersion.objects.filter(pk=version.pk).update(instructions="Be rude.")

    def test_has_a_number_of_its_own(self, db):
        prompt = PromptFactory()
        PromptVersionFactory(prompt=prompt, number=2)

        with pytest.raises(IntegrityError, match="number_once"):
            PromptVersionFactory(prompt=prompt, number=2)
