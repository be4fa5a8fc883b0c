"""
What to say to the model: the one seam between a prompt id and a request to OpenAI.

A prompt of ours becomes `model` and `instructions`, its variables filled. An id we do not know is one of
OpenAI's dashboard, passed through for as long as OpenAI takes those (its `v1/prompts` ends on 30 November
2026), and without variables: OpenAI refuses those a prompt does not declare, and what it does we cannot know.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import structlog
from django.conf import settings

from agents import prompt_variables
from agents.models import PromptVersion
from agents.prompt_variables import Template
from config.lib.errors import RejectedError

Context = prompt_variables.Context
LAST_DAY_OF_DASHBOARD_PROMPTS = date(2026, 11, 30)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Version:
    template: Template
    own: Mapping[str, str]
    model: str
    parameters: Mapping[str, object]


def arguments(*, prompt_id: str, version: int | None, context: Context | None = None) -> dict[str, object]:
    """
    Give the arguments of `responses.create` that say who the model is.

    :raises RejectedError: if the prompt has no such version
    """
    context = context or Context()
    if version is None:
        if context.now.date() > LAST_DAY_OF_DASHBOARD_PROMPTS:
            _warn(prompt_id)
        return {"prompt": {"id": prompt_id}}
    said = _version(prompt_id, version)
    return {
        **said.parameters,
        "model": said.model or settings.OPENAI_MODEL,
        "instructions": prompt_variables.fill(said.template, own=said.own, context=context),
    }


@lru_cache(maxsize=512)
def _version(prompt_id: str, number: int) -> _Version:
    """Read a version and take it apart once: it never changes."""
    version = PromptVersion.objects.filter(prompt_id=prompt_id, number=number).first()
    if version is None:
        raise RejectedError("the agent's prompt has no such version", code="prompt_version_missing")
    return _Version(
        template=prompt_variables.template(version.instructions),
        own=prompt_variables.texts(version.variables),
        model=version.model,
        parameters=version.parameters,
    )


@lru_cache(maxsize=1000)
def _warn(prompt_id: str) -> None:
    """Say it once a process."""
    log.warning("prompts.dashboard_prompt_ended", prompt_id=prompt_id)
