from typing import Any, get_args, get_type_hints

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import prompt_checks, prompt_versions
from agents.api.prompt_serializers import ParametersSerializer, VariableSerializer
from agents.models import Prompt, PromptVersion
from tests.factories import PromptVersionFactory

pytestmark = pytest.mark.django_db

SAID: dict[str, Any] = {
    "instructions": " Open at {{opening}} on {{local_weekday}}.\n",
    "model": "gpt-6-luna",
    "parameters": {"temperature": 1, "reasoning": {"effort": "low"}, "text": {"verbosity": "high"}},
    "variables": {"opening": {"type": "string", "default": "8:00", "description": "When"}},
}


@pytest.fixture
def url(user):
    return f"/users/{user.user_id}/prompts"


@pytest.fixture
def prompt(business, url):
    """The address of a prompt."""
    return business.post(url, {"name": "Bakery", **SAID})["Location"]


class TestCreating:
    def test_gives_the_prompt_with_its_first_version(self, business, url):
        answer = business.post(url, {"name": "Bakery", **SAID})

        made = answer.json()
        assert answer.status_code == 201
        assert answer["Location"] == f"{url}/{made['prompt_id']}"
        assert business.get(answer["Location"]).json() == made
        assert made == {
            "prompt_id": made["prompt_id"], "purpose": "reply", "name": "Bakery", "current_version": 1,
            "created_at": made["created_at"],
            "version": {"number": 1, **SAID, "created_at": made["version"]["created_at"]},
        }  # fmt: skip

    def test_needs_a_name_and_instructions_only(self, business, url):
        answer = business.post(url, {"name": "Bakery", "instructions": "Be kind."})

        version = answer.json()["version"]
        assert (version["model"], version["parameters"], version["variables"]) == ("", {}, {})

    def test_makes_one_for_extraction_and_no_second(self, business, url, user):
        body = {"name": "Leads", "purpose": "extraction", "instructions": "Look for bread."}

        first, second = business.post(url, body), business.post(url, body)

        assert (first.status_code, first.json()["purpose"]) == (201, "extraction")
        assert (second.status_code, second.json()["code"]) == (409, "extraction_prompt_exists")
        assert Prompt.objects.filter(user=user).count() == 1
        assert PromptVersion.objects.count() == 1

    def test_lets_each_business_have_one_for_extraction(self, business, url):
        PromptVersionFactory(prompt__purpose="extraction")

        body = {"name": "Leads", "purpose": "extraction", "instructions": "Look for bread."}
        assert business.post(url, body).status_code == 201

    def test_never_changes_what_it_is_for(self, business, prompt):
        assert business.patch(prompt, {"purpose": "extraction"}).status_code == 400
        assert business.get(prompt).json()["purpose"] == "reply"

    @pytest.mark.parametrize("purpose", ["lead", "", None, 1])
    def test_knows_no_other_purpose(self, business, url, purpose):
        body = {"name": "Leads", "purpose": purpose, "instructions": "Look for bread."}

        assert business.post(url, body).status_code == 400

    def test_is_done_once_per_idempotency_key(self, business, url):
        body = {"name": "Bakery", "instructions": "Be kind."}

        answers = [business.post(url, body, Idempotency_Key="k1") for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert Prompt.objects.count() == 1

    @pytest.mark.parametrize(
        ("changes", "field", "code"),
        [
            ({"instructions": "x" * 100_001}, "instructions", "max_length"),
            ({"instructions": ""}, "instructions", "blank"),
            ({"model": "gpt 5"}, "model", "invalid"),
            ({"parameters": []}, "parameters", "invalid"),
            ({"parameters": {"tools": []}}, "parameters.tools", "unknown_field"),
            ({"parameters": {"temperature": 3}}, "parameters.temperature", "max_value"),
            ({"parameters": {"temperature": "1"}}, "parameters.temperature", "invalid"),
            ({"parameters": {"temperature": True}}, "parameters.temperature", "invalid"),
            ({"parameters": {"temperature": 10**400}}, "parameters.temperature", "invalid"),
            ({"parameters": {"max_output_tokens": 1}}, "parameters.max_output_tokens", "min_value"),
            (
                {"parameters": {"reasoning": {"effort": "huge"}}},
                "parameters.reasoning.effort",
                "invalid_choice",
            ),
            ({"variables": []}, "variables", "not_a_dict"),
            ({"variables": {"Opening": {"type": "string", "default": ""}}}, "variables.Opening", "invalid"),
            ({"variables": {"a": 7}}, "variables.a", "invalid"),
            ({"variables": {"a": {"type": "string"}}}, "variables.a.default", "required"),
            ({"variables": {"a": {"type": "text", "default": ""}}}, "variables.a.type", "invalid_choice"),
            ({"variables": {"a": {"type": "number", "default": 10**400}}}, "variables.a.default", "invalid"),
            ({"variables": {"a": {"type": "string", "default": {}}}}, "variables.a.default", "invalid"),
            (
                {"variables": {"a": {"type": "string", "default": "", "x": 1}}},
                "variables.a.x",
                "unknown_field",
            ),
            (
                {"variables": {f"a{n}": {"type": "number", "default": n} for n in range(101)}},
                "variables",
                "max_length",
            ),
            ({"current_version": 2}, "current_version", "unknown_field"),
        ],
    )
    def test_names_the_field_that_does_not_fit(self, business, url, changes, field, code):
        answer = business.post(url, {"name": "Bakery", "instructions": "Be kind.", **changes})

        assert answer.status_code == 400
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"instructions": "Open at {{closing}}."}, "instructions"),
            ({"instructions": "  \n"}, "instructions"),
            ({"variables": {"a": {"type": "number", "default": "7"}}}, "variables.a.default"),
            ({"variables": {"a": {"type": "date", "default": "tomorrow"}}}, "variables.a.default"),
            ({"variables": {"channel": {"type": "string", "default": ""}}}, "variables.channel"),
        ],
    )
    def test_names_the_field_of_which_no_version_can_be_made(self, business, url, changes, field):
        answer = business.post(url, {"name": "Bakery", "instructions": "Be kind.", **changes})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_prompt")
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert not Prompt.objects.exists()

    def test_describes_exactly_what_is_taken(self):
        fields = ParametersSerializer().fields
        nested = {
            "reasoning.effort": (fields["reasoning"].fields["effort"], prompt_checks._Reasoning, "effort"),
            "text.verbosity": (fields["text"].fields["verbosity"], prompt_checks._Text, "verbosity"),
        }

        assert set(fields) == set(prompt_checks.Parameters.model_fields)
        for field, shape, name in nested.values():
            assert tuple(field.choices) == get_args(get_type_hints(shape)[name])
        tiers = get_args(get_args(get_type_hints(prompt_checks.Parameters)["service_tier"])[0])
        assert tuple(fields["service_tier"].choices) == tiers
        assert set(VariableSerializer().fields["type"].choices) == set(prompt_checks._TYPES)


class TestRenaming:
    def test_leaves_what_it_says(self, business, prompt):
        before = business.get(prompt).json()

        answer = business.patch(prompt, {"name": "Winter"})

        assert answer.json() == {**before, "name": "Winter"}
        assert business.patch(prompt, {}).json() == answer.json()

    def test_is_refused_when_somebody_else_was_quicker(self, business, prompt):
        seen = business.get(prompt)["ETag"]
        business.post(f"{prompt}/versions", {"instructions": "Be brief."})

        answer = business.patch(prompt, {"name": "Winter"}, If_Match=seen)

        assert answer.status_code == 412

    def test_takes_nothing_else(self, business, prompt):
        answer = business.patch(prompt, {"instructions": "Be brief."})

        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "unknown_field")


class TestPublishing:
    def test_adds_a_version_which_is_the_current_one(self, business, prompt):
        answer = business.post(f"{prompt}/versions", {"instructions": "Be brief."})

        assert (answer.status_code, answer.json()["number"]) == (201, 2)
        assert business.get(prompt).json()["version"] == answer.json()

    def test_is_done_once_per_idempotency_key(self, business, prompt):
        for _ in range(2):
            business.post(f"{prompt}/versions", {"instructions": "Be brief."}, Idempotency_Key="k1")

        assert PromptVersion.objects.count() == 2

    def test_names_the_field_of_which_no_version_can_be_made(self, business, prompt):
        answer = business.post(f"{prompt}/versions", {"instructions": "Open at {{closing}}."})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_prompt")

    def test_lists_versions_newest_first(self, business, prompt):
        for n in range(4):
            business.post(f"{prompt}/versions", {"instructions": f"Be brief: {n}."})
        seen, following = [], f"{prompt}/versions?limit=2"
        while following:
            answer = business.get(following).json()
            seen += [one["number"] for one in answer["data"]]
            business.post(f"{prompt}/versions", {"instructions": "Be brief."})
            following = answer["next_cursor"] and f"{prompt}/versions?limit=2&cursor={answer['next_cursor']}"

        assert seen == [5, 4, 3, 2, 1]


class TestRollback:
    def test_makes_an_older_version_the_current_one(self, business, prompt):
        business.post(f"{prompt}/versions", {"instructions": "Be brief."})

        answer = business.post(f"{prompt}/rollback", {"version": 1})

        assert (answer.status_code, answer.json()["current_version"]) == (200, 1)
        assert answer.json()["version"]["instructions"] == SAID["instructions"]
        assert business.get(prompt)["ETag"] == answer["ETag"]

    def test_refuses_a_version_that_is_none(self, business, prompt):
        answer = business.post(f"{prompt}/rollback", {"version": 2})

        assert (answer.status_code, answer.json()["code"]) == (422, "prompt_version_not_found")


class TestManyVersions:
    def test_pages_hold_few_versions_and_lead_through_all_of_them(self, business, url, user):
        first = PromptVersionFactory(prompt__user=user)
        for number in range(2, 46):
            PromptVersionFactory(prompt=first.prompt, number=number)
        versions = f"{url}/{first.prompt_id}/versions"

        pages = [business.get(f"{versions}?limit=200").json()]
        while cursor := pages[-1]["next_cursor"]:
            pages.append(business.get(f"{versions}?limit=200&cursor={cursor}").json())

        assert [len(page["data"]) for page in pages] == [20, 20, 5]
        assert [row["number"] for page in pages for row in page["data"]] == list(range(45, 0, -1))


class TestPreview:
    def test_fills_in_the_current_version(self, business, prompt, user):
        user.timezone = "Asia/Tokyo"
        user.save()

        answer = business.post(f"{prompt}/preview", {"context": {"now": "2026-11-22T20:00:00Z"}})

        assert (answer.status_code, answer.json()) == (200, {"instructions": " Open at 8:00 on Monday.\n"})

    def test_fills_in_an_older_one(self, business, prompt):
        business.post(f"{prompt}/versions", {"instructions": "For {{customer_name}} on {{channel}}."})
        business.post(f"{prompt}/versions", {"instructions": "Be brief."})

        answer = business.post(
            f"{prompt}/preview", {"version": 2, "context": {"customer_name": "Ada", "channel": "instagram"}}
        )

        assert answer.json() == {"instructions": 'For "Ada" on Instagram.'}

    def test_fills_in_a_draft_and_keeps_nothing(self, business, prompt):
        draft = {
            "instructions": "{{business_name}} has {{n}} shops.",
            "variables": {"n": {"type": "number", "default": 3}},
        }

        answer = business.post(f"{prompt}/preview", draft)

        assert answer.json() == {"instructions": "Test has 3 shops."}
        assert PromptVersion.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"version": 2}, "prompt_version_not_found"),
            ({"version": 1, "instructions": "Be kind."}, "version_and_draft"),
            ({"instructions": "{{nothing}}"}, "invalid_prompt"),
            ({"variables": {}}, "invalid_prompt"),
            ({"context": {"now": "9999-12-31T23:59:59Z"}}, "time_out_of_range"),
        ],
    )
    def test_says_what_cannot_be_filled_in(self, business, prompt, user, body, code):
        user.timezone = "Asia/Tokyo"
        user.save()

        answer = business.post(f"{prompt}/preview", body)

        assert (answer.status_code, answer.json()["code"]) == (422, code)

    @pytest.mark.parametrize("path", ["", "/preview", "/versions"])
    def test_refuses_instructions_that_become_too_long_when_they_are_filled_in(
        self, business, prompt, url, path
    ):
        body = {
            "instructions": "{{a}}" * 20_000,
            "variables": {"a": {"type": "string", "default": "\N{CROISSANT}" * 10_000}},
        }
        address = f"{prompt}{path}" if path else url

        answer = business.post(address, body if path else {"name": "Long", **body})

        assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
        assert [error["code"] for error in answer.json()["errors"]] == ["max_length"]
        assert PromptVersion.objects.count() == 1

    def test_refuses_a_version_from_before_the_limit_of_length(self, business, url, user):
        version = PromptVersionFactory(
            prompt__user=user,
            instructions="{{a}}" * 20_000,
            variables={"a": {"type": "string", "default": "x" * 10_000}},
        )

        answer = business.post(f"{url}/{version.prompt_id}/preview", {})

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_prompt")

    @pytest.mark.parametrize(
        "context",
        [{"channel": "fax"}, {"now": "2026-11-22T20:00:00"}, {"customer_name": 7}, {"timezone": "UTC"}],
    )
    def test_refuses_a_talk_that_is_none(self, business, prompt, context):
        assert business.post(f"{prompt}/preview", {"context": context}).status_code == 400


class TestTenants:
    def test_do_not_see_each_others_prompts(self, business, url):
        others = f"{url}/{PromptVersionFactory().prompt_id}"

        answers = [
            business.get(others),
            business.patch(others, {"name": "Mine"}),
            business.get(f"{others}/versions"),
            business.post(f"{others}/versions", {"instructions": "Be mine."}),
            business.post(f"{others}/rollback", {"version": 1}),
            business.post(f"{others}/preview", {}),
            business.post(f"{others}/preview", {"instructions": "Be mine."}),
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert business.get(url).json()["data"] == []
        assert PromptVersion.objects.count() == 1


class TestListing:
    def test_goes_page_by_page_while_prompts_are_added(self, business, url, user):
        made = {prompt_versions.create(user_id=user.pk, name="x", instructions="y").pk for _ in range(5)}
        seen, following = [], f"{url}?limit=2"
        while following:
            answer = business.get(following).json()
            seen += [one["prompt_id"] for one in answer["data"]]
            prompt_versions.create(user_id=user.pk, name="x", instructions="y")
            following = answer["next_cursor"] and f"{url}?limit=2&cursor={answer['next_cursor']}"

        assert seen == sorted(made, reverse=True)

    def test_asks_no_more_for_many_than_for_one(self, business, url, prompt):
        business.get(url)
        with CaptureQueriesContext(connection) as one:
            business.get(url)
        for n in range(10):
            business.post(url, {"name": f"Prompt {n}", "instructions": "Be kind."})

        with CaptureQueriesContext(connection) as many:
            assert len(business.get(url).json()["data"]) == 11

        assert len(many) == len(one)
