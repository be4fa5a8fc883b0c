"""Agents: who answers on a number."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agents import lifecycle, relinking
from agents.lifecycle import LONGEST_INTERVAL, SHORTEST_INTERVAL, IntervalOutOfRangeError
from agents.models import DEFAULT_DISCLOSURE, LONGEST_DISCLOSURE, Agent, AgentQuerySet
from agents.prompt_versions import PromptNotFoundError
from agents.relinking import AlreadyThereError, NotFoundError, NumberTakenError
from billing.api.access import TenantView
from config.lib.api import etags
from config.lib.api.problems import conflict, not_found, unprocessable
from config.lib.api.schema import operation, page_serializer
from config.lib.api.serializers import FlagField, IntegerField, PageQuery, StrictSerializer, TextField, is_id

TAG = "Agents"
LONGEST_MESSAGE = 4096
HIGHEST_VERSION = 2**31 - 1
EXAMPLE: dict[str, Any] = {
    "agent_id": "agt_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "phone_number_id": "109876543210987",
    "prompt_id": "prm_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
    "prompt_version": None,
    "name": "Bakery agent",
    "fallback_message": "Sorry, something went wrong. We will come back to you.",
    "unavailable_message": "",
    "handover_enabled": True,
    "handover_message": "A colleague will answer you shortly.",
    "disclosure": DEFAULT_DISCLOSURE,
    "extraction_interval": None,
    "created_at": "2026-11-24T12:00:00Z",
}
_NUMBER_NOT_FOUND = ("phone_number_not_found", "You have no phone number with this id.")
_PROMPT_NOT_FOUND = ("prompt_not_found", "You have no prompt for replies with this id or version.")
_RANGE = f"The interval must be from {SHORTEST_INTERVAL} to {LONGEST_INTERVAL} milliseconds."
_INTERVAL = ("interval_out_of_range", _RANGE)
_TAKEN = ("phone_number_taken", "Another agent already answers on this number: see `agent_id`.")


class AgentSerializer(serializers.ModelSerializer[Agent]):
    """An agent."""

    phone_number_id = serializers.CharField(
        read_only=True, allow_null=True, help_text="The phone number on which it answers; null = none."
    )

    class Meta:
        model = Agent
        fields: tuple[str, ...] = (
            *("agent_id", "phone_number_id", "prompt_id", "prompt_version", "name", "fallback_message"),
            *("unavailable_message", "handover_enabled", "handover_message", "disclosure"),
            *("extraction_interval", "created_at"),
        )
        read_only_fields = fields


class AgentInput(StrictSerializer):
    """What can be said of an agent."""

    phone_number_id = TextField(
        max_length=50,
        required=False,
        allow_null=True,
        trim_whitespace=False,
        validators=[is_id(most=50)],
        help_text="A phone number of the same user; null = none, so the agent answers nobody.",
    )
    prompt_id = TextField(
        max_length=100,
        trim_whitespace=False,
        validators=[is_id(most=100)],
        help_text="A prompt of the same user. OpenAI ended the prompts of its dashboard (`pmpt_…`) on 30 "
        "November 2026: such an id is still passed on, and where OpenAI refuses it, customers "
        "get the `fallback_message`.",
    )
    prompt_version = IntegerField(
        min_value=1,
        max_value=HIGHEST_VERSION,
        required=False,
        allow_null=True,
        help_text="The version it uses; null = always the prompt's current version. If you send another "
        "`prompt_id` without a version, it becomes null.",
    )
    name = TextField(max_length=255, help_text="A name for people; customers do not see it.")
    fallback_message = TextField(
        max_length=LONGEST_MESSAGE,
        required=False,
        allow_blank=True,
        help_text="Sent if no reply could be created; empty = nothing is sent.",
    )
    unavailable_message = TextField(
        max_length=LONGEST_MESSAGE,
        required=False,
        allow_blank=True,
        help_text="Sent when the business has no credits left; empty = nothing is sent.",
    )
    handover_enabled = FlagField(
        required=False, help_text="The model may hand a conversation over to a person."
    )
    handover_message = TextField(
        max_length=LONGEST_MESSAGE,
        required=False,
        allow_blank=True,
        help_text="Sent when it does; empty = a standard text.",
    )
    disclosure = TextField(
        max_length=LONGEST_DISCLOSURE,
        required=False,
        allow_blank=True,
        help_text="Put before the first AI reply of each conversation, in the same message. It tells the "
        f"customer that an AI answers. Empty = nothing is sent; default: “{DEFAULT_DISCLOSURE}”.",
    )
    extraction_interval = IntegerField(
        min_value=lifecycle.SHORTEST_TRIAL_INTERVAL,
        max_value=LONGEST_INTERVAL,
        required=False,
        allow_null=True,
        help_text="Milliseconds that a conversation must be quiet before its lead is read; null = the "
        f"default. In production at least {SHORTEST_INTERVAL}.",
    )


class AgentChangesInput(AgentInput):
    """What can be changed of an agent."""

    replace = FlagField(
        required=False,
        help_text="Take `phone_number_id` away from the agent that answers there; that agent is left "
        "without a number.",
    )


class AgentListQuery(PageQuery):
    """What the list of agents can be narrowed to."""

    phone_number_id = serializers.CharField(
        required=False, max_length=50, help_text="Only the agent that answers on this number."
    )
    prompt_id = serializers.CharField(
        required=False, max_length=100, help_text="Only agents that use this prompt."
    )


class _AgentsOfTenant(TenantView):
    def rows(self) -> AgentQuerySet:
        """Return the live agents of the business."""
        return Agent.objects.of(self.user_id).live()

    def agent(self, agent_id: str, *, to_change: bool = False) -> Agent:
        """
        Return an agent, with its row locked if it is to be changed.

        :raises ProblemError: 404 if there is no such agent
        """
        rows = self.rows().select_for_update(no_key=True) if to_change else self.rows()
        agent = rows.filter(pk=agent_id).first()
        if agent is None:
            raise not_found("agent_id")
        return agent


class AgentsView(_AgentsOfTenant):
    """The agents of a user."""

    @operation(
        summary="List agents",
        description="Newest first, without deleted ones.",
        tag=TAG,
        operation_id="list_agents",
        query=AgentListQuery,
        responses={200: page_serializer(AgentSerializer)},
        response_example={"data": [EXAMPLE], "next_cursor": None},
    )
    def get(self, _request: Request, user_id: str) -> Response:  # noqa: ARG002  (the URL's)
        """Return a page."""
        query = self.read_query(AgentListQuery)
        filters = {name: query[name] for name in ("phone_number_id", "prompt_id") if name in query}
        return self.page(
            self.rows().filter(**filters), query=query, order=("-agent_id",), serializer=AgentSerializer
        )

    @operation(
        summary="Create an agent",
        description="It answers on its number from the next message on; without a number, nobody.",
        tag=TAG,
        operation_id="create_agent",
        request=AgentInput,
        responses={201: AgentSerializer},
        errors={409: [_TAKEN], 422: [_NUMBER_NOT_FOUND, _PROMPT_NOT_FOUND, _INTERVAL]},
        request_example={
            "phone_number_id": "109876543210987",
            "prompt_id": "prm_01KB2T7M3G5Q8R9S0T1V2W3X4Y",
            "name": "Bakery agent",
            "fallback_message": "Sorry, something went wrong. We will come back to you.",
        },
        response_example=EXAMPLE,
    )
    def post(self, _request: Request, user_id: str) -> Response:
        """Make one."""
        with _as_problems():
            agent = lifecycle.create(
                user_id=user_id, **{"phone_number_id": None, **self.read_body(AgentInput)}
            )
        return etags.tagged(
            AgentSerializer(agent).data,
            status=HTTPStatus.CREATED,
            Location=f"/users/{user_id}/agents/{agent.agent_id}",
        )


class AgentView(_AgentsOfTenant):
    """One agent."""

    @operation(
        summary="Get an agent",
        description="Returns the agent.",
        tag=TAG,
        operation_id="get_agent",
        responses={200: AgentSerializer},
        response_example=EXAMPLE,
    )
    def get(self, _request: Request, user_id: str, agent_id: str) -> Response:  # noqa: ARG002
        """Answer the agent."""
        return etags.tagged(AgentSerializer(self.agent(agent_id)).data)

    @operation(
        summary="Change or relink an agent",
        description="Changes only the fields you send, all of them or none, with effect from the next "
        "message. A different `phone_number_id` moves the agent to that number, and null takes "
        "it off its number. Either closes the conversations on the old number and adds an "
        "entry to the archives.",
        tag=TAG,
        operation_id="update_agent",
        request=AgentChangesInput(partial=True),
        responses={200: AgentSerializer},
        errors={409: [_TAKEN], 422: [_NUMBER_NOT_FOUND, _PROMPT_NOT_FOUND, _INTERVAL]},
        if_match=True,
        request_example={"phone_number_id": "109876543210987", "replace": True},
        response_example=EXAMPLE,
    )
    def patch(self, request: Request, user_id: str, agent_id: str) -> Response:  # noqa: ARG002
        """Change it."""
        changes = self.read_body(AgentChangesInput, partial=True)
        self.agent(agent_id)
        is_moved, replace = "phone_number_id" in changes, changes.pop("replace", False)
        number = changes.pop("phone_number_id", None)
        with _as_problems(), transaction.atomic():
            if number:
                # Before the agent's own row, so that two moves never wait for each other.
                relinking.locked(agent_id, number)
            etags.check(request, AgentSerializer(self.agent(agent_id, to_change=True)).data)
            if changes:
                lifecycle.change(agent_id=agent_id, **changes)
            if is_moved:
                _move(agent_id, number, replace=replace)
            return etags.tagged(AgentSerializer(self.agent(agent_id)).data)

    @operation(
        summary="Delete an agent",
        description="The AI no longer answers on its number, and its conversations are closed.",
        tag=TAG,
        operation_id="delete_agent",
        responses={204: None},
    )
    def delete(self, _request: Request, user_id: str, agent_id: str) -> Response:  # noqa: ARG002
        """Delete it."""
        lifecycle.delete(agent_id=self.agent(agent_id).agent_id)
        return Response(status=HTTPStatus.NO_CONTENT)


def _move(agent_id: str, number: str | None, *, replace: bool) -> None:
    if number is None:
        relinking.unlink(agent_id=agent_id)
    else:
        with suppress(AlreadyThereError):
            relinking.relink(agent_id=agent_id, phone_number_id=number, replace=replace)


@contextmanager
def _as_problems() -> Iterator[None]:
    """Translate domain errors into problems."""
    try:
        yield
    except NotFoundError as error:
        raise unprocessable(*_NUMBER_NOT_FOUND, field="phone_number_id") from error
    except NumberTakenError as error:
        raise conflict(*_TAKEN, agent_id=error.agent_id) from error
    except PromptNotFoundError as error:
        raise unprocessable(*_PROMPT_NOT_FOUND, field="prompt_id") from error
    except IntervalOutOfRangeError as error:
        raise unprocessable(_INTERVAL[0], str(error), field="extraction_interval") from error
