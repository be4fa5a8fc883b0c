"""Prompts: what agents speak with, in versions that never change."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from agents import prompt_versions
from agents.api.prompt_serializers import KeptParametersField, VariablesField, VersionInput
from agents.models import Prompt, PromptVersion
from agents.prompt_checks import InvalidPromptError, PromptTooLongError
from agents.prompt_versions import ExtractionPromptExistsError, PromptNotFoundError
from billing.api.access import TenantView
from config.lib.api import etags
from config.lib.api.problems import conflict, field_error, not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import ChoiceField, PageQuery, StrictSerializer, TextField

TAG = "Prompts"
VERSION: dict[str, Any] = {
    "number": 1,
    "instructions": "You answer for {{business_name}}. We open at {{opening}}.",
    "model": "gpt-6-luna",
    "parameters": {"max_output_tokens": 500, "reasoning": {"effort": "low"}},
    "variables": {"opening": {"type": "string", "default": "8:00", "description": "When the shop opens"}},
    "created_at": "2026-11-24T12:00:00Z",
}
SUMMARY: dict[str, Any] = {
    "prompt_id": "prm_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "purpose": "reply",
    "name": "Bakery",
    "current_version": 1,
    "created_at": "2026-11-24T12:00:00Z",
}
EXAMPLE: dict[str, Any] = {**SUMMARY, "version": VERSION}
DRAFT: dict[str, Any] = {name: VERSION[name] for name in ("instructions", "model", "parameters", "variables")}
_ONE_ONLY = (
    "extraction_prompt_exists",
    "You already have a prompt for extraction. Publish a new version of that one.",
)
INVALID = ("invalid_prompt", "There is no variable `opening`. Did you mean `opening_hours`?")
DASHBOARD = (
    "Prompts of OpenAI's dashboard (`pmpt_…`) are not listed. OpenAI ended them on 30 November 2026. "
    "Agents can still have one as their `prompt_id`, but you should replace each with a prompt created "
    "here."
)


class PromptSerializer(serializers.ModelSerializer[Prompt]):
    """A prompt."""

    class Meta:
        model = Prompt
        fields: tuple[str, ...] = ("prompt_id", "purpose", "name", "current_version", "created_at")
        read_only_fields = fields


class PromptVersionSerializer(serializers.ModelSerializer[PromptVersion]):
    """A version of a prompt; it never changes."""

    parameters = KeptParametersField(read_only=True, help_text="Further parameters of the model.")
    variables = VariablesField(read_only=True, help_text="Its own variables, by name.")

    class Meta:
        model = PromptVersion
        fields: tuple[str, ...] = (
            *("number", "instructions", "model", "parameters", "variables", "created_at"),
        )
        read_only_fields = fields


class PromptDetailSerializer(PromptSerializer):
    """A prompt with its current version."""

    version = PromptVersionSerializer(read_only=True, help_text="The current version.")

    class Meta(PromptSerializer.Meta):
        fields = (*PromptSerializer.Meta.fields, "version")
        read_only_fields = fields


class PromptInput(VersionInput):
    """A new prompt with its first version."""

    name = TextField(max_length=255, help_text="A name for people; customers do not see it.")
    purpose = ChoiceField(
        choices=Prompt.Purpose.choices,
        required=False,
        help_text="`reply` (default): agents use it for replies. `extraction`: it replaces the built-in "
        "prompt that reads leads. It cannot be changed later.",
    )


class PromptChangesInput(StrictSerializer):
    """What can be changed of a prompt; what it says is changed by a new version."""

    name = TextField(max_length=255, help_text="A name for people; customers do not see it.")


class PromptsOfTenant(TenantView):
    """Finds the prompts of a user."""

    def prompt(self, prompt_id: str, *, to_change: bool = False) -> Prompt:
        """
        Return a prompt, with its row locked if it is to be changed.

        :raises ProblemError: 404 if there is no such prompt
        """
        rows = Prompt.objects.of(self.user_id)
        if to_change:
            rows = rows.select_for_update(no_key=True)
        prompt = rows.filter(pk=prompt_id).first()
        if prompt is None:
            raise not_found("prompt_id")
        return prompt


def serialized(prompt: Prompt) -> dict[str, Any]:
    """Show a prompt as `PromptDetailSerializer` says."""
    version = prompt.versions.get(number=prompt.current_version)
    return {**PromptSerializer(prompt).data, "version": PromptVersionSerializer(version).data}


@contextmanager
def as_problems() -> Iterator[None]:
    """Translate errors about a prompt version into problems."""
    try:
        yield
    except PromptTooLongError as error:
        raise ValidationError({error.field: [field_error("max_length", error.reason)]}) from error
    except InvalidPromptError as error:
        raise unprocessable(INVALID[0], error.reason, field=error.field) from error
    except PromptNotFoundError as error:
        raise not_found("prompt_id") from error
    except ExtractionPromptExistsError as error:
        raise conflict(*_ONE_ONLY) from error


class PromptsView(PromptsOfTenant):
    """The prompts of a user."""

    @operation(
        summary="List prompts",
        description=f"Newest first. {DASHBOARD}",
        tag=TAG,
        operation_id="list_prompts",
        query=PageQuery,
        responses={200: page_serializer(PromptSerializer)},
        response_example={"data": [SUMMARY], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:
        """Return a page."""
        return self.page(
            Prompt.objects.of(user_id),
            query=self.read_query(PageQuery),
            order=("-created_at", "-prompt_id"),
            serializer=PromptSerializer,
        )

    @operation(
        summary="Create a prompt",
        description=f"Makes it with version 1. {DASHBOARD}",
        tag=TAG,
        operation_id="create_prompt",
        request=PromptInput,
        responses={201: PromptDetailSerializer},
        errors={409: [_ONE_ONLY], 422: [INVALID]},
        request_example={"name": "Bakery", **DRAFT},
        response_example=EXAMPLE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Make one."""
        with as_problems():
            prompt = prompt_versions.create(user_id=user_id, **self.read_body(PromptInput))
        return etags.tagged(
            serialized(prompt),
            status=HTTPStatus.CREATED,
            Location=f"/users/{user_id}/prompts/{prompt.prompt_id}",
        )


class PromptView(PromptsOfTenant):
    """One prompt."""

    @operation(
        summary="Get a prompt",
        description="Returns the prompt with its current version.",
        tag=TAG,
        operation_id="get_prompt",
        responses={200: PromptDetailSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, prompt_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Answer the prompt."""
        return etags.tagged(serialized(self.prompt(prompt_id)))

    @operation(
        summary="Rename a prompt",
        description="Renames the prompt. To change its instructions, publish a version.",
        tag=TAG,
        operation_id="update_prompt",
        request=PromptChangesInput(partial=True),
        responses={200: PromptDetailSerializer},
        if_match=True,
        request_example={"name": "Bakery, winter"},
        response_example={**EXAMPLE, "name": "Bakery, winter"},
    )
    @transaction.atomic
    def patch(self, request: Request, user_id: str, prompt_id: str) -> Response:  # noqa: ARG002
        """Change it."""
        prompt = self.prompt(prompt_id, to_change=True)
        etags.check(request, serialized(prompt))
        for name in self.read_body(PromptChangesInput, partial=True).values():
            prompt = prompt_versions.rename(prompt_id=prompt_id, name=name)
        return etags.tagged(serialized(prompt))
