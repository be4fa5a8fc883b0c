"""Counts the agents whose prompt OpenAI has ended; runs with `manage.py check --database default`."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register  # noqa: A004  (Django's name)
from django.db.utils import ProgrammingError

from agents import dashboard_prompts
from agents.prompts import LAST_DAY_OF_DASHBOARD_PROMPTS

_MOST_NAMED = 5


@register(Tags.database)
def check_dashboard_prompts(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn of the live agents whose prompt is not one of ours."""
    if not databases:
        return []
    agents = dashboard_prompts.agents().order_by("pk")
    try:
        count = agents.count()
        named = list(agents.values_list("pk", "prompt_id")[:_MOST_NAMED])
    except ProgrammingError:
        return []  # before the first `migrate` there are no agents
    return [_warning(count, named)] if count else []


def _warning(count: int, named: list[tuple[str, str]]) -> CheckMessage:
    listed = ", ".join(f"{agent_id} ({prompt_id})" for agent_id, prompt_id in named)
    more = f" and {count - len(named)} more" if count > len(named) else ""
    return Warning(
        f"{count} {'agent names' if count == 1 else 'agents name'} a prompt of OpenAI's dashboard, and "
        f"OpenAI ended those on {LAST_DAY_OF_DASHBOARD_PROMPTS}: {listed}{more}.",
        hint="`manage.py list_dashboard_prompts` lists them, `manage.py import_prompt` replaces a prompt.",
        id="agents.W001",
    )
