"""
Agents that name a prompt of OpenAI's dashboard, which OpenAI has ended: found, reported and moved over.

Such an id is still passed to OpenAI. When OpenAI refuses it, the customer gets the agent's fallback message.
"""

from collections.abc import Mapping

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef

from agents import lifecycle, notices, prompt_versions
from agents.models import Agent, AgentQuerySet, Prompt
from billing.events import EventType
from config.lib import tenancy

log = structlog.get_logger(__name__)

ENDED = "ended"


class NoAgentsError(Exception):
    """No live agent of the business names this dashboard prompt."""


def agents() -> AgentQuerySet:
    """Return the live agents whose prompt is not a prompt of this service."""
    ours = Prompt.objects.filter(pk=OuterRef("prompt_id"))
    return Agent.objects.live().filter(~Exists(ours))


def is_named_by(agent: Agent) -> bool:
    """Return whether an agent is live and names a dashboard prompt."""
    return agents().filter(pk=agent.pk).exists()


def report_all() -> int:
    """Raise `prompt.ended` for each agent that names a dashboard prompt, once; return how many were new."""
    return sum(_report(agent, reason=ENDED) for agent in agents().order_by("pk"))


def report_refusal(agent_id: str, reason: str) -> bool:
    """Raise `prompt.ended` for an agent whose dashboard prompt OpenAI refused; return whether it was new."""
    agent = agents().filter(pk=agent_id).first()
    return agent is not None and _report(agent, reason=reason)


def _report(agent: Agent, *, reason: str) -> bool:
    is_new = notices.raise_once(
        user_id=agent.user_id,
        type=EventType.PROMPT_ENDED,
        subject=f"{agent.pk} {agent.prompt_id}",
        data={
            "agent_id": agent.pk,
            "agent_name": agent.name,
            "phone_number_id": agent.phone_number_id,
            "prompt_id": agent.prompt_id,
            "reason": reason[:255],
        },
    )
    if is_new:
        log.error("prompt.ended", agent_id=agent.pk, prompt_id=agent.prompt_id, reason=reason)
    return is_new


@transaction.atomic
def replace(
    *,
    user_id: str,
    prompt_id: str,
    instructions: str,
    name: str = "",
    model: str = "",
    variables: Mapping[str, object] | None = None,
) -> tuple[Prompt, list[str]]:
    """
    Create a prompt from a dashboard prompt's text, and give it to all agents of the business that name that.

    Return the prompt and the agents' ids. The audit log has an entry for the prompt and for each agent.

    :raises NoAgentsError: if no live agent of the business names the dashboard prompt
    :raises InvalidPromptError: if no version can be created from the text
    """
    tenancy.required(user_id)
    naming = agents().filter(user_id=user_id, prompt_id=prompt_id).order_by("pk")
    agent_ids = list(naming.select_for_update(no_key=True).values_list("pk", flat=True))
    if not agent_ids:
        raise NoAgentsError(f"no agent of {user_id} names {prompt_id}")
    prompt = prompt_versions.create(
        user_id=user_id,
        name=name or f"Imported from {prompt_id}",
        instructions=instructions,
        model=model,
        variables=variables,
    )
    for agent_id in agent_ids:
        lifecycle.change(agent_id=agent_id, prompt_id=prompt.pk)
    return prompt, agent_ids
