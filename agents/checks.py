"""Names the agents whose prompt OpenAI switches off; runs with `manage.py check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  (Django's name)
from django.db.models import Exists, OuterRef
from django.db.utils import ProgrammingError

from agents.models import Agent, Prompt
from agents.prompts import LAST_DAY_OF_DASHBOARD_PROMPTS


@register(Tags.database)
def check_dashboard_prompts(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn of every live agent whose prompt is not one of ours."""
    if not databases:
        return []
    ours = Prompt.objects.filter(pk=OuterRef("prompt_id"))
    agents = Agent.objects.live().filter(~Exists(ours)).order_by("pk").values_list("pk", "prompt_id")
    try:
        return [_warning(*agent) for agent in agents]
    except ProgrammingError:
        return []  # before the first `migrate` there are no agents


def _warning(agent_id: str, prompt_id: str) -> CheckMessage:
    return Warning(
        f"Agent {agent_id} speaks with {prompt_id}, which is not a prompt of this service.",
        hint=f"OpenAI's own prompts end on {LAST_DAY_OF_DASHBOARD_PROMPTS}: make it a prompt here.",
        id="agents.W001",
    )
