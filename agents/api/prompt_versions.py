"""Versions of a prompt: published, tried out, gone back to."""

from http import HTTPStatus
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import prompt_versions
from agents.api.agents import HIGHEST_VERSION
from agents.api.prompt_serializers import LONGEST_INSTRUCTIONS, VariablesField, VersionInput
from agents.api.prompts import (
    DRAFT,
    EXAMPLE,
    INVALID,
    TAG,
    VERSION,
    PromptDetailSerializer,
    PromptsOfTenant,
    PromptVersionSerializer,
    as_problems,
    serialized,
)
from agents.prompt_variables import Context
from agents.prompt_versions import PromptNotFoundError
from billing.models import User
from channels_app.models import PhoneNumber
from config.lib.api import etags
from config.lib.api.problems import unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import (
    ChoiceField,
    IntegerField,
    PageQuery,
    StrictSerializer,
    TextField,
    TimestampField,
)

# In one page: a version may hold a megabyte.
MOST_VERSIONS = 20
_NO_VERSION = ("prompt_version_not_found", "The prompt has no version with this number.")
_OUT_OF_RANGE = ("time_out_of_range", "This time does not exist in the business's time zone.")
_EITHER = ("version_and_draft", "Send either `version` or the `instructions` of a draft, not both.")


class RollbackInput(StrictSerializer):
    """Where to go back to."""

    version = IntegerField(min_value=1, max_value=HIGHEST_VERSION, help_text="An older version's number.")


class ConversationInput(StrictSerializer):
    """A talk to fill built-in variables from."""

    customer_name = TextField(
        max_length=255, required=False, allow_blank=True, help_text="The customer's name."
    )
    channel = ChoiceField(
        choices=PhoneNumber.Type.choices, required=False, help_text="The channel on which they write."
    )
    now = TimestampField(required=False, help_text="The time at which they write; default: now.")


class PreviewInput(StrictSerializer):
    """What to fill in."""

    version = IntegerField(
        min_value=1,
        max_value=HIGHEST_VERSION,
        required=False,
        help_text="The version; default: the current one.",
    )
    instructions = TextField(
        max_length=LONGEST_INSTRUCTIONS,
        required=False,
        trim_whitespace=False,
        help_text="A draft, in place of a version.",
    )
    variables = VariablesField(required=False, help_text="The draft's own variables, by name.")
    context = ConversationInput(
        required=False, help_text="An example conversation that fills the built-in variables."
    )  # type: ignore[assignment]


class PreviewSerializer(serializers.Serializer[Any]):
    """Instructions as the model would get them."""

    instructions = serializers.CharField(help_text="The instructions with every variable filled in.")


class PromptVersionsView(PromptsOfTenant):
    """The versions of a prompt."""

    @operation(
        summary="List versions of a prompt",
        description="Newest first, with what they say. "
        f"A page holds {MOST_VERSIONS} at most, whatever `limit` is.",
        tag=TAG,
        operation_id="list_prompt_versions",
        query=PageQuery,
        responses={200: page_serializer(PromptVersionSerializer)},
        response_example={"data": [VERSION], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str, prompt_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Return a page."""
        query = self.read_query(PageQuery)
        return self.page(
            self.prompt(prompt_id).versions.all(),
            query={**query, "limit": min(query["limit"], MOST_VERSIONS)},
            order=("-number",),
            serializer=PromptVersionSerializer,
        )

    @operation(
        summary="Publish a version of a prompt",
        description="The new version becomes the current one: agents without a fixed version use it from "
        "the next message on. Nothing is copied from the previous version.",
        tag=TAG,
        operation_id="publish_prompt_version",
        request=VersionInput,
        responses={201: PromptVersionSerializer},
        errors={422: [INVALID]},
        request_example=DRAFT,
        response_example={**VERSION, "number": 2},
    )
    def post(self, _request: Request, user_id: str, prompt_id: str) -> Response:  # noqa: ARG002
        """Publish it."""
        data = self.read_body(VersionInput)
        self.prompt(prompt_id)
        with as_problems():
            version = prompt_versions.publish(prompt_id=prompt_id, **data)
        return Response(PromptVersionSerializer(version).data, status=HTTPStatus.CREATED)


class PromptRollbackView(PromptsOfTenant):
    """An older version made the current one."""

    @operation(
        summary="Go back to a version of a prompt",
        description="The version becomes the current one again. Replies in progress keep theirs, and no "
        "version is lost.",
        tag=TAG,
        operation_id="rollback_prompt",
        request=RollbackInput,
        responses={200: PromptDetailSerializer},
        errors={422: [_NO_VERSION]},
        request_example={"version": 1},
        response_example=EXAMPLE,
    )
    def post(self, _request: Request, user_id: str, prompt_id: str) -> Response:  # noqa: ARG002
        """Go back."""
        version = self.read_body(RollbackInput)["version"]
        self.prompt(prompt_id)
        try:
            prompt_versions.rollback(prompt_id=prompt_id, to=version)
        except PromptNotFoundError as error:
            raise unprocessable(*_NO_VERSION, field="version") from error
        return etags.tagged(serialized(self.prompt(prompt_id)))


class PromptPreviewView(PromptsOfTenant):
    """Instructions with their variables filled in."""

    @operation(
        summary="Preview a prompt",
        description="Fills in the variables of a version or of an unpublished draft exactly as for the "
        "model. Nothing is stored, no model is called, and nothing is charged.",
        tag=TAG,
        operation_id="preview_prompt",
        request=PreviewInput,
        responses={200: PreviewSerializer},
        errors={422: [INVALID, _NO_VERSION, _EITHER, _OUT_OF_RANGE]},
        request_example={"version": 1, "context": {"customer_name": "Ada", "channel": "whatsapp"}},
        response_example={"instructions": "You answer for Example Bakery. We open at 8:00."},
    )
    def post(self, _request: Request, user_id: str, prompt_id: str) -> Response:
        """Fill them in."""
        data = self.read_body(PreviewInput)
        self.prompt(prompt_id)
        user = User.objects.get(pk=user_id)
        context = Context(business_name=user.company_name, timezone=user.timezone, **data.pop("context", {}))
        try:
            return Response({"instructions": _filled(prompt_id, context, **data)})
        except OverflowError as error:
            raise unprocessable(*_OUT_OF_RANGE, field="context.now") from error


def _filled(
    prompt_id: str,
    context: Context,
    version: int | None = None,
    instructions: str | None = None,
    variables: dict[str, Any] | None = None,
) -> str:
    is_draft = instructions is not None or variables is not None
    if is_draft and version is not None:
        raise unprocessable(*_EITHER, field="version")
    with as_problems():
        if is_draft:
            return prompt_versions.preview_draft(
                instructions=instructions or "", variables=variables, context=context
            )
        try:
            return prompt_versions.preview(prompt_id=prompt_id, version=version, context=context)
        except PromptNotFoundError as error:
            raise unprocessable(*_NO_VERSION, field="version") from error
