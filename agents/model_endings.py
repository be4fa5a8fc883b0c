"""
Models that OpenAI shuts down: read daily from `GET /v1/models`, and reported to businesses that use them.

https://developers.openai.com/api/docs/deprecations
"""

import time
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import structlog
from django.conf import settings
from django.utils import timezone

from agents import notices, openai_client
from agents.attempts import retried
from agents.models import ModelShutdown
from billing.events import EventType
from config.lib import event_loop, sql
from config.lib.errors import UnavailableError

log = structlog.get_logger(__name__)

# Days before the shutdown; each is reported once. The last is the shutdown itself.
THRESHOLDS = (30, 7, 0)
_TIMEOUT = 60.0
_MOST_PROMPTS = 20


@dataclass(frozen=True, slots=True)
class Use:
    """A model that a business uses: by which prompts, and whether as a default of the service."""

    user_id: str
    model: str
    prompt_ids: list[str] = field(default_factory=list)
    is_default: bool = False


def check() -> int:
    """
    Read the shutdown dates from OpenAI, store them and raise `model.ending`; return how many were raised.

    :raises UnavailableError: if OpenAI did not answer
    :raises RejectedError: if OpenAI refused
    """
    refresh()
    return report()


def refresh() -> None:
    """
    Store the shutdown dates that OpenAI reports now; models it does not list keep theirs.

    https://developers.openai.com/api/reference/resources/models/methods/list

    :raises UnavailableError: if OpenAI did not answer
    :raises RejectedError: if OpenAI refused
    """
    deadline = time.monotonic() + _TIMEOUT
    answer = event_loop.run(
        retried(lambda: openai_client.call("GET", "/models", deadline=deadline), deadline)
    )
    listed = answer.get("data")
    if not isinstance(listed, list):
        raise UnavailableError("the answer is no list of models", code="unreadable")
    now = timezone.now()
    rows = {
        entry["id"]: ModelShutdown(model=entry["id"], shutdown_on=_date(entry), checked_at=now)
        for entry in listed
        if isinstance(entry, dict) and isinstance(entry.get("id"), str) and 0 < len(entry["id"]) <= 255
    }
    ModelShutdown.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["model"],
        update_fields=["shutdown_on", "checked_at"],
    )


def report(today: date | None = None) -> int:
    """Raise `model.ending` for each business, model and threshold, once; return how many were raised."""
    today = today or timezone.now().date()
    ends = _shutdown_dates()
    return sum(_report(use, ends[use.model], today) for use in uses() if use.model in ends)


def _report(use: Use, ends_on: date, today: date) -> bool:
    days = (ends_on - today).days
    crossed = [threshold for threshold in THRESHOLDS if days <= threshold]
    if not crossed:
        return False
    is_new = notices.raise_once(
        user_id=use.user_id,
        type=EventType.MODEL_ENDING,
        subject=f"{min(crossed)} {ends_on} {use.model}",
        data={
            "model": use.model,
            "shutdown_date": ends_on.isoformat(),
            "days_left": max(0, days),
            "is_default": use.is_default,
            "prompt_ids": use.prompt_ids[:_MOST_PROMPTS],
        },
    )
    if is_new:
        log.warning("model.ending", model=use.model, shutdown_date=str(ends_on), days=days)
    return is_new


def uses() -> list[Use]:
    """
    Return the models that businesses use, in the order of businesses.

    Those of the current version of each prompt and of the versions that agents are held on, and the service's
    defaults for businesses with a live agent.
    """
    uses: dict[tuple[str, str], Use] = {}
    for row in sql.rows(_USES_SQL):
        model = row["model"] or settings.OPENAI_MODEL
        known = uses.setdefault(
            (row["user_id"], model), Use(row["user_id"], model, is_default=not row["model"])
        )
        if row["prompt_id"] not in known.prompt_ids:
            known.prompt_ids.append(row["prompt_id"])
    for row in sql.rows(_BUSINESSES_SQL):
        for model in (settings.OPENAI_MODEL, settings.OPENAI_TRANSCRIBE_MODEL):
            uses.setdefault((row["user_id"], model), Use(row["user_id"], model, is_default=True))
    return sorted(uses.values(), key=lambda use: (use.user_id, use.model))


def ending(*, days: int = 60, today: date | None = None) -> list[dict[str, Any]]:
    """Return the models in use that are shut down within so many days, with the number of businesses."""
    today = today or timezone.now().date()
    ends = _shutdown_dates()
    soon = {model: on for model, on in ends.items() if (on - today).days <= days}
    if not soon:
        return []
    using: dict[str, set[str]] = {}
    for use in uses():
        if use.model in soon:
            using.setdefault(use.model, set()).add(use.user_id)
    return [
        {"model": model, "shutdown_on": soon[model], "businesses": len(using[model])}
        for model in sorted(using, key=lambda model: (soon[model], model))
    ]


def _shutdown_dates() -> dict[str, date]:
    rows = ModelShutdown.objects.values_list("model", "shutdown_on")
    return {model: ends_on for model, ends_on in rows if ends_on is not None}


def _date(entry: dict[str, Any]) -> date | None:
    """Read a model's `shutdown_date`, YYYY-MM-DD; older answers have none."""
    try:
        return date.fromisoformat(entry.get("shutdown_date") or "")
    except (TypeError, ValueError):
        return None


_USES_SQL = """
    SELECT prompt.user_id, prompt.prompt_id, version.model
      FROM prompts AS prompt
      JOIN prompt_versions AS version
        ON version.prompt_id = prompt.prompt_id AND version.number = prompt.current_version
    UNION
    SELECT prompt.user_id, prompt.prompt_id, version.model
      FROM agents AS agent
      JOIN prompts AS prompt ON prompt.prompt_id = agent.prompt_id
      JOIN prompt_versions AS version
        ON version.prompt_id = prompt.prompt_id AND version.number = agent.prompt_version
     WHERE agent.deleted_at IS NULL
     ORDER BY user_id, prompt_id, model
"""
_BUSINESSES_SQL = "SELECT DISTINCT user_id FROM agents WHERE deleted_at IS NULL"
