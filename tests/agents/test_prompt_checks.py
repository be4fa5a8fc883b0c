"""What cannot be a version is refused, and the field is named."""

import inspect

import pytest
from openai.resources.responses import Responses

from agents.prompt_checks import InvalidPromptError, Parameters, PromptTooLongError, checked

DECLARED = {"type": "string", "default": "Hello", "description": "the first word"}


def refused_field(**changes) -> str:
    usual = {"instructions": "Be kind.", "model": "", "parameters": {}, "variables": {}}
    with pytest.raises(InvalidPromptError) as refused:
        checked(**{**usual, **changes})
    assert str(refused.value) == f"{refused.value.field}: {refused.value.reason}"
    return refused.value.field


class TestInstructions:
    @pytest.mark.parametrize(
        "instructions",
        [
            "",
            " \n",
            "{{unknown}}",
            "{{ Customer_Name }}",
            "{{",
            "a {{ b",
            "{{1st}}",
            "{{a b}}",
            "{{{channel}}}",
        ],
    )
    def test_that_say_nothing_or_name_what_is_not_there_are_refused(self, instructions):
        assert refused_field(instructions=instructions) == "instructions"

    @pytest.mark.parametrize("instructions", [r"\{{unknown}}", "{{channel}}", "{{ opening }}", "}} { a {"])
    def test_that_name_what_is_there_are_taken(self, instructions):
        columns = checked(instructions=instructions, model="", parameters={}, variables={"opening": DECLARED})

        assert columns == {
            "instructions": instructions, "model": "", "parameters": {}, "variables": {"opening": DECLARED},
        }  # fmt: skip

    def test_keep_only_what_postgres_can_hold(self):
        columns = checked(instructions="Be\x00 \ud800kind", model="", parameters={}, variables={})

        assert columns["instructions"] == "Be\ufffd \ufffdkind"


class TestLength:
    @pytest.mark.parametrize(
        ("instructions", "default"),
        [("{{opening}}" * 21, "x" * 10_000), ("{{business_name}}" * 800, ""), ("x" * 200_001, "")],
    )
    def test_version_that_may_become_too_long_is_refused(self, instructions, default):
        declared = {"opening": DECLARED | {"default": default}}

        with pytest.raises(PromptTooLongError) as refused:
            checked(instructions=instructions, model="", parameters={}, variables=declared)

        assert (refused.value.field, "200000 are allowed" in refused.value.reason) == ("instructions", True)

    def test_version_of_the_longest_length_is_taken(self):
        declared = {"opening": DECLARED | {"default": "x" * 10_000}}

        columns = checked(instructions="{{opening}}" * 20, model="", parameters={}, variables=declared)

        assert columns["variables"] == declared


class TestModel:
    @pytest.mark.parametrize("model", ["gpt 6", "gpt-6\n", "m" * 101, "gpt\x00"])
    def test_that_is_no_name_is_refused(self, model):
        assert refused_field(model=model) == "model"


class TestVariables:
    @pytest.mark.parametrize(
        ("kind", "default"),
        [
            ("string", ""), ("string", "two\nlines"), ("number", 0), ("number", -1.5), ("boolean", False),
            ("date", "2026-02-28"),
        ],
    )  # fmt: skip
    def test_have_a_default_of_their_type(self, kind, default):
        declared = {"opening": {"type": kind, "default": default}}

        columns = checked(instructions="Hi", model="", parameters={}, variables=declared)

        assert columns["variables"] == declared

    @pytest.mark.parametrize(
        ("kind", "default"),
        [
            ("string", 1), ("string", None), ("string", "a\x00"), ("string", "\ud800"), ("number", "1"),
            ("number", True), ("number", float("nan")), ("number", float("inf")), ("boolean", 0),
            ("boolean", "true"), ("date", "2026-02-29"), ("date", "20260228"), ("date", 5),
            ("date", "2026-W08-1"),
        ],
    )  # fmt: skip
    def test_with_another_default_are_refused(self, kind, default):
        assert refused_field(variables={"opening": {"type": kind, "default": default}}) == (
            "variables.opening.default"
        )

    @pytest.mark.parametrize(
        ("declared", "field"),
        [
            ({"type": "colour", "default": "red"}, "variables.opening.type"),
            ({"type": ["string"], "default": "red"}, "variables.opening.type"),
            ({"type": "string"}, "variables.opening"),
            ({"default": "red"}, "variables.opening"),
            ("red", "variables.opening"),
            ({**DECLARED, "secret": True}, "variables.opening.secret"),
            ({**DECLARED, "description": 1}, "variables.opening.description"),
        ],
    )
    def test_that_are_declared_otherwise_are_refused(self, declared, field):
        assert refused_field(variables={"opening": declared}) == field

    @pytest.mark.parametrize("name", ["", "Opening", "1st", "a-b", "a" * 51, "customer_name", "local_time"])
    def test_have_a_name_of_their_own(self, name):
        assert refused_field(variables={name: DECLARED}) == f"variables.{name}"


class TestParameters:
    def test_are_arguments_of_the_sdk(self):
        arguments = inspect.signature(Responses.create).parameters

        assert set(Parameters.model_fields) <= set(arguments)

    def test_are_kept_as_they_are_sent(self):
        parameters = {
            "temperature": 0.2, "top_p": 1, "max_output_tokens": 300, "reasoning": {"effort": "low"},
            "text": {"verbosity": "low"}, "service_tier": "flex", "prompt_cache_key": "bakery",
        }  # fmt: skip

        columns = checked(instructions="Hi", model="gpt-6", parameters=parameters, variables={})

        assert columns["parameters"] == parameters

    @pytest.mark.parametrize(
        "name",
        [
            "model", "input", "instructions", "conversation", "previous_response_id", "prompt", "store",
            "stream", "background", "metadata", "safety_identifier", "truncation", "tools", "tool_choice",
            "user", "extra_headers", "extra_body", "timeout", "temprature",
        ],
    )  # fmt: skip
    def test_that_are_not_the_version_s_to_set_are_refused(self, name):
        assert refused_field(parameters={name: "x"}) == f"parameters.{name}"

    @pytest.mark.parametrize(
        ("parameters", "field"),
        [
            ({"temperature": "0.2"}, "parameters.temperature"),
            ({"temperature": 3}, "parameters.temperature"),
            ({"temperature": float("nan")}, "parameters.temperature"),
            ({"top_p": True}, "parameters.top_p"),
            ({"max_output_tokens": 1}, "parameters.max_output_tokens"),
            ({"max_output_tokens": 10**9}, "parameters.max_output_tokens"),
            ({"reasoning": {"effort": "a lot"}}, "parameters.reasoning.effort"),
            ({"text": {"format": {"type": "json_object"}}}, "parameters.text.verbosity"),
            ({"service_tier": "best"}, "parameters.service_tier"),
            ({"prompt_cache_key": "a\x00"}, "parameters.prompt_cache_key"),
        ],
    )
    def test_with_another_value_are_refused(self, parameters, field):
        assert refused_field(parameters=parameters) == field
