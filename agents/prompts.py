"""
What to say to the model: the one seam between a prompt id and a request to OpenAI.

A prompt of ours becomes `model` and `instructions`; an id we do not know is one of OpenAI's dashboard, passed
through for as long as OpenAI takes those (its `v1/prompts` ends on 30 November 2026).
"""

from functools import lru_cache

from django.conf import settings

from agents.models import PromptVersion
from config.lib.errors import RejectedError


def arguments(*, prompt_id: str, version: int | None) -> dict[str, object]:
    """
    Give the arguments of `responses.create` that say who the model is.

    :raises RejectedError: if the prompt has no such version
    """
    if version is None:
        return {"prompt": {"id": prompt_id}}
    instructions, model, parameters = _version(prompt_id, version)
    return {**parameters, "model": model or settings.OPENAI_MODEL, "instructions": instructions}


@lru_cache(maxsize=512)
def _version(prompt_id: str, number: int) -> tuple[str, str, dict[str, object]]:
    """Read a version once: it never changes."""
    version = PromptVersion.objects.filter(prompt_id=prompt_id, number=number).first()
    if version is None:
        raise RejectedError("the agent's prompt has no such version", code="prompt_version_missing")
    return version.instructions, version.model, version.parameters
