"""Agents come, change and go; which number one answers on is changed by `relinking`."""

import re
from typing import TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import relinking, routing
from agents.models import DEFAULT_DISCLOSURE, Agent, Prompt, PromptVersion
from agents.prompt_versions import PromptNotFoundError
from agents.relinking import NotFoundError, NumberTakenError
from billing import audit
from billing.audit import Action
from billing.models import User
from channels_app.models import PhoneNumber
from config.lib import tenancy

# https://platform.openai.com/docs/guides/prompting: the ids of OpenAI's dashboard
_DASHBOARD_ID = re.compile(r"pmpt_[A-Za-z0-9_-]{1,95}")


# In milliseconds; outside production a conversation may be read sooner, to try it out.
SHORTEST_INTERVAL, SHORTEST_TRIAL_INTERVAL, LONGEST_INTERVAL = 300_000, 1_000, 900_000


class IntervalOutOfRangeError(ValueError):
    """A talk cannot be read after so short or so long a time."""

    def __init__(self) -> None:
        least, most = extraction_intervals()
        super().__init__(f"The interval must be from {least} to {most} milliseconds.")


def extraction_intervals() -> tuple[int, int]:
    """Return the bounds of an agent's `extraction_interval`, in milliseconds."""
    shortest = SHORTEST_INTERVAL if settings.IS_PRODUCTION else SHORTEST_TRIAL_INTERVAL
    return shortest, LONGEST_INTERVAL


class Changes(TypedDict, total=False):
    """What may be changed of an agent."""

    prompt_id: str
    prompt_version: int | None
    name: str
    fallback_message: str
    unavailable_message: str
    handover_enabled: bool
    handover_message: str
    disclosure: str
    extraction_interval: int | None


_AUDITED = tuple(Changes.__annotations__)


@transaction.atomic
def create(
    *,
    user_id: str,
    phone_number_id: str | None,
    prompt_id: str,
    prompt_version: int | None = None,
    name: str,
    fallback_message: str = "",
    unavailable_message: str = "",
    handover_enabled: bool = False,
    handover_message: str = "",
    disclosure: str = DEFAULT_DISCLOSURE,
    extraction_interval: int | None = None,
) -> Agent:
    """
    Make an agent, which answers on a number of its user from the next turn on, or on none.

    Without a `prompt_version` it speaks with whichever is the prompt's current one; without an
    `extraction_interval` (milliseconds) it is EXTRACTION_INTERVAL.

    :raises NotFoundError: if there is no such user, or it has no such live number
    :raises NumberTakenError: if another agent answers on the number
    :raises PromptNotFoundError: if the user has no such prompt for replies, or it has no such version
    :raises IntervalOutOfRangeError: if talks cannot be left quiet for so short or so long
    :raises TenantMissingError: if `user_id` is empty
    """
    tenancy.required(user_id)
    _check_interval(extraction_interval)
    if not User.objects.filter(pk=user_id).exists():
        raise NotFoundError(f"there is no user {user_id}")
    if phone_number_id is not None:
        _lock_free(phone_number_id, user_id)
    elif tenancy.permitted_numbers() is not None:
        raise NotFoundError("a key for some numbers makes agents for these only")
    _check_prompt(user_id, prompt_id, prompt_version)
    agent = Agent(
        user_id=user_id,
        phone_number_id=phone_number_id,
        prompt_id=prompt_id,
        prompt_version=prompt_version,
        name=name,
        fallback_message=fallback_message,
        unavailable_message=unavailable_message,
        handover_enabled=handover_enabled,
        handover_message=handover_message,
        disclosure=disclosure,
        extraction_interval=extraction_interval,
    )
    try:
        with transaction.atomic():
            agent.save(force_insert=True)
    except IntegrityError as error:
        if phone_number_id is None or (present := _present(phone_number_id)) is None:
            raise
        raise NumberTakenError(present) from error
    if phone_number_id is not None:
        routing.drop(user_id=user_id, phone_number_id=phone_number_id)
    created = audit.snapshot(agent, (*_AUDITED, "phone_number_id"))
    audit.record(Action.AGENT_CREATED, agent.pk, user_id=user_id, changes=audit.difference({}, created))
    return agent


@transaction.atomic
def change(*, agent_id: str, **changes: Unpack[Changes]) -> Agent:
    """
    Change a live agent's fields, those that are given, from the next turn on.

    With another prompt but no `prompt_version` it speaks with that prompt's current one.

    :raises NotFoundError: if there is no such live agent
    :raises PromptNotFoundError: if its user has no such prompt for replies, or it has no such version
    :raises IntervalOutOfRangeError: if talks cannot be left quiet for so short or so long
    :raises TypeError: if a field may not be changed
    """
    if unknown := changes.keys() - Changes.__annotations__.keys():
        raise TypeError(f"not to be changed: {sorted(unknown)}")
    _check_interval(changes.get("extraction_interval"))
    agent = Agent.objects.live().select_for_update(no_key=True).filter(pk=agent_id).first()
    if agent is None:
        raise NotFoundError(f"there is no agent {agent_id}")
    before = audit.snapshot(agent, _AUDITED)
    if changes.get("prompt_id", agent.prompt_id) != agent.prompt_id:
        agent.prompt_version = None
    for field, value in changes.items():
        setattr(agent, field, value)
    if changes.keys() & {"prompt_id", "prompt_version"}:
        _check_prompt(agent.user_id, agent.prompt_id, agent.prompt_version)
    agent.save(update_fields=sorted(Changes.__annotations__))
    after = audit.snapshot(agent, _AUDITED)
    audit.record_update(Action.AGENT_UPDATED, agent.pk, user_id=agent.user_id, before=before, after=after)
    if agent.phone_number_id is not None:
        routing.drop(user_id=agent.user_id, phone_number_id=agent.phone_number_id)
    return agent


@transaction.atomic
def delete(*, agent_id: str) -> None:
    """
    Hide an agent and end its talks; a turn in flight ends under it. A second time does nothing.

    :raises NotFoundError: if there never was such an agent
    """
    agent = Agent.objects.select_for_update(no_key=True).filter(pk=agent_id).first()
    if agent is None:
        raise NotFoundError(f"there is no agent {agent_id}")
    if agent.deleted_at is None:
        relinking.leave(agent)
        Agent.objects.filter(pk=agent_id).update(deleted_at=timezone.now())
        audit.record(Action.AGENT_DELETED, agent.pk, user_id=agent.user_id)


def _lock_free(phone_number_id: str, user_id: str) -> None:
    """Lock a number as relinking does, so that nobody moves there or deletes it meanwhile."""
    live = PhoneNumber.objects.of(user_id).live().select_for_update(no_key=True)
    if live.filter(pk=phone_number_id).first() is None:
        raise NotFoundError("the user has no such number")
    if present := _present(phone_number_id):
        raise NumberTakenError(present)


def _check_interval(milliseconds: int | None) -> None:
    least, most = extraction_intervals()
    if milliseconds is not None and not least <= milliseconds <= most:
        raise IntervalOutOfRangeError


def _present(phone_number_id: str) -> str | None:
    answering = Agent.objects.live().filter(phone_number_id=phone_number_id)
    return answering.values_list("agent_id", flat=True).first()


def _check_prompt(user_id: str, prompt_id: str, version: int | None) -> None:
    """Refuse a prompt that is neither the user's, for replies, nor by its looks one of OpenAI's dashboard."""
    prompt = Prompt.objects.filter(pk=prompt_id).first()
    is_theirs = prompt is not None and (prompt.user_id, prompt.purpose) == (user_id, Prompt.Purpose.REPLY)
    is_dashboard = prompt is None and _DASHBOARD_ID.fullmatch(prompt_id) is not None
    if not is_theirs and not is_dashboard:
        raise PromptNotFoundError(f"there is no prompt {prompt_id} for replies")
    if version is None:
        return
    if is_dashboard or not PromptVersion.objects.filter(prompt_id=prompt_id, number=version).exists():
        raise PromptNotFoundError(f"prompt {prompt_id} has no version {version}")
