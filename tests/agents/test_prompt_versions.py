"""Versions are added and pointed at, never changed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection

from agents import prompt_versions, prompts
from agents.models import Prompt, PromptVersion
from agents.prompt_checks import InvalidPromptError
from agents.prompt_variables import Context
from agents.prompt_versions import PromptNotFoundError
from tests.factories import PromptFactory, PromptVersionFactory, UserFactory

CONTEXT = Context(customer_name="Ann", channel="whatsapp", now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC))


@pytest.fixture
def prompt(db) -> Prompt:
    return PromptVersionFactory(instructions="First.").prompt


def current(prompt: Prompt) -> int:
    return Prompt.objects.get(pk=prompt.pk).current_version


class TestCreate:
    def test_makes_a_prompt_with_its_first_version(self, db):
        user = UserFactory()

        prompt = prompt_versions.create(
            user_id=user.user_id, name="Shop", instructions="Hi {{customer_name}}"
        )

        assert prompt.prompt_id.startswith("prm_")
        assert (prompt.user, prompt.name, current(prompt)) == (user, "Shop", 1)
        assert prompt.versions.get().instructions == "Hi {{customer_name}}"

    def test_makes_nothing_of_what_cannot_be_a_version(self, db):
        with pytest.raises(InvalidPromptError):
            prompt_versions.create(user_id=UserFactory().user_id, name="Shop", instructions="{{unknown}}")

        assert not Prompt.objects.exists()


class TestPublish:
    def test_adds_a_version_and_makes_it_the_current_one(self, prompt):
        declared = {"greeting": {"type": "string", "default": "Hello"}}

        version = prompt_versions.publish(
            prompt_id=prompt.prompt_id,
            instructions="{{greeting}}!",
            model="gpt-test",
            parameters={"temperature": 0.5},
            variables=declared,
        )

        assert (version.number, current(prompt)) == (2, 2)
        kept = PromptVersion.objects.get(pk=version.pk)
        assert (kept.instructions, kept.model, kept.parameters, kept.variables) == (
            "{{greeting}}!", "gpt-test", {"temperature": 0.5}, declared,
        )  # fmt: skip

    def test_after_a_rollback_goes_on_counting(self, prompt):
        prompt_versions.publish(prompt_id=prompt.prompt_id, instructions="Second.")
        prompt_versions.rollback(prompt_id=prompt.prompt_id, to=1)

        version = prompt_versions.publish(prompt_id=prompt.prompt_id, instructions="Third.")

        assert version.number == 3

    def test_of_a_prompt_that_does_not_exist_is_refused(self, db):
        with pytest.raises(PromptNotFoundError):
            prompt_versions.publish(prompt_id="prm_none", instructions="Hi")

    def test_by_eight_threads_gives_each_a_number_of_its_own(self, transactional_db):
        prompt = PromptVersionFactory().prompt

        def publish(number: int) -> int:
            try:
                instructions = f"By {number}"
                return prompt_versions.publish(prompt_id=prompt.prompt_id, instructions=instructions).number
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(publish, range(8)))

        assert sorted(numbers) == list(range(2, 10))
        assert current(prompt) == 9


class TestRollback:
    def test_points_back(self, prompt):
        prompt_versions.publish(prompt_id=prompt.prompt_id, instructions="Second.")

        version = prompt_versions.rollback(prompt_id=prompt.prompt_id, to=1)

        assert (version.number, version.instructions, current(prompt)) == (1, "First.", 1)

    @pytest.mark.parametrize("to", [0, 2])
    def test_to_a_version_that_does_not_exist_changes_nothing(self, prompt, to):
        with pytest.raises(PromptNotFoundError):
            prompt_versions.rollback(prompt_id=prompt.prompt_id, to=to)

        assert current(prompt) == 1

    def test_of_a_prompt_that_does_not_exist_is_refused(self, db):
        with pytest.raises(PromptNotFoundError):
            prompt_versions.rollback(prompt_id="prm_none", to=1)


class TestRename:
    def test_changes_the_name_and_no_version(self, prompt):
        renamed = prompt_versions.rename(prompt_id=prompt.prompt_id, name="New")

        assert renamed.name == Prompt.objects.get(pk=prompt.pk).name == "New"
        assert (current(prompt), prompt.versions.count()) == (1, 1)

    def test_of_a_prompt_that_does_not_exist_is_refused(self, db):
        with pytest.raises(PromptNotFoundError):
            prompt_versions.rename(prompt_id="prm_none", name="New")


class TestPreview:
    def test_is_what_the_model_would_get(self, prompt):
        declared = {"tone": {"type": "string", "default": "warm"}}
        version = prompt_versions.publish(
            prompt_id=prompt.prompt_id,
            instructions="{{customer_name}} on {{channel}}: be {{tone}}.",
            variables=declared,
        )

        shown = prompt_versions.preview(prompt_id=prompt.prompt_id, context=CONTEXT)

        asked = prompts.arguments(prompt_id=prompt.prompt_id, version=version.number, context=CONTEXT)
        assert shown == asked["instructions"] == '"Ann" on WhatsApp: be warm.'

    def test_of_an_older_version_shows_that(self, prompt):
        prompt_versions.publish(prompt_id=prompt.prompt_id, instructions="Second.")

        assert prompt_versions.preview(prompt_id=prompt.prompt_id, version=1, context=CONTEXT) == "First."

    @pytest.mark.parametrize("version", [None, 1])
    def test_of_what_does_not_exist_is_refused(self, db, version):
        with pytest.raises(PromptNotFoundError):
            prompt_versions.preview(prompt_id=PromptFactory().prompt_id, version=version, context=CONTEXT)

    def test_of_a_draft_shows_what_is_not_published(self):
        shown = prompt_versions.preview_draft(instructions="Hi {{ customer_name }}!", context=CONTEXT)

        assert shown == 'Hi "Ann"!'

    def test_of_a_draft_refuses_what_could_not_be_published(self):
        with pytest.raises(InvalidPromptError):
            prompt_versions.preview_draft(instructions="{{unknown}}", context=CONTEXT)
