"""
What to say to the model: the one seam between a prompt id and a request to OpenAI.

A prompt of ours becomes `model` and `instructions`, its variables filled. An id we do not know is one of
OpenAI's dashboard. It is passed through although OpenAI ended those on 30 November 2026 (`dashboard_prompts`
says what follows a refusal), and without variables: OpenAI refuses those a prompt does not declare, and what
it does we cannot know.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

import structlog
from cachetools import LRUCache, cached
from django.conf import settings

from agents import prompt_variables
from agents.models import PromptVersion
from agents.prompt_variables import Template
from config.lib.errors import RejectedError

Context = prompt_variables.Context
LAST_DAY_OF_DASHBOARD_PROMPTS = date(2026, 11, 30)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt that is ready to be filled in; without a template it is one of OpenAI's dashboard."""

    prompt_id: str
    template: Template | None = None
    own: Mapping[str, str] = field(default_factory=dict)
    model: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many characters its instructions and variables have."""
        return sum(map(len, self.template or ())) + sum(map(len, self.own.values()))

    def arguments(self, context: Context) -> dict[str, object]:
        """
        Return the arguments of `responses.create` that say who the model is; asks no database.

        :raises RejectedError: if the prompt is too long when it is filled in
        """
        if self.template is None:
            if context.now.date() > LAST_DAY_OF_DASHBOARD_PROMPTS:
                _warn(self.prompt_id)
            return {"prompt": {"id": self.prompt_id}}
        try:
            instructions = prompt_variables.fill(self.template, own=self.own, context=context)
        except prompt_variables.FilledTooLongError as error:
            raise RejectedError(str(error), code="prompt_too_long") from error
        return {
            **self.parameters,
            "model": self.model or settings.OPENAI_MODEL,
            "instructions": instructions,
        }


def arguments(*, prompt_id: str, version: int | None, context: Context | None = None) -> dict[str, object]:
    """
    Return the arguments of `responses.create` that say who the model is.

    :raises RejectedError: if the prompt has no such version, or one that is too long when it is filled in
    """
    return load(prompt_id, version).arguments(context or Context())


def load(prompt_id: str, version: int | None) -> Prompt:
    """
    Return a version of a prompt; it is read from the database at most once in a while.

    :raises RejectedError: if the prompt has no such version
    """
    return Prompt(prompt_id) if version is None else _version(prompt_id, version)


# Characters of instructions that a process keeps; one version may have a megabyte of them.
_CACHE_SIZE = 100_000_000


@cached(LRUCache(_CACHE_SIZE, getsizeof=lambda prompt: 1000 + prompt.size), lock=threading.Lock())
def _version(prompt_id: str, number: int) -> Prompt:
    """Read and parse a version, which never changes, with the variables that its instructions use."""
    version = PromptVersion.objects.filter(prompt_id=prompt_id, number=number).first()
    if version is None:
        raise RejectedError("the agent's prompt has no such version", code="prompt_version_missing")
    template = prompt_variables.template(version.instructions)
    names = set(template[1::2])
    used = {name: declared for name, declared in version.variables.items() if name in names}
    return Prompt(
        prompt_id=prompt_id,
        template=template,
        own=prompt_variables.texts(used),
        model=version.model,
        parameters=version.parameters,
    )


@lru_cache(maxsize=1000)
def _warn(prompt_id: str) -> None:
    """Log it once per process."""
    log.warning("prompts.dashboard_prompt_ended", prompt_id=prompt_id)
