"""Answers that fit a schema: asked for beside any conversation, and kept nowhere at OpenAI."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from pydantic import BaseModel

from agents import llm, openai_client
from agents.attempts import retried
from config.lib import event_loop
from config.lib.errors import UnavailableError

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Structured(Generic[Answer]):
    """What the model filled in, and what it took; `tokens_used` counts input and output."""

    answer: Answer
    response_id: str
    model: str
    tokens_used: int


def ask(
    *,
    arguments: dict[str, object],
    items: Sequence[dict[str, Any]],
    text_format: type[Answer],
    safety_identifier: str,
    deadline: float,
) -> Structured[Answer]:
    """
    Ask the model to fill in `text_format` from input items; `deadline` is on the monotonic clock.

    What does not fit, is cut off or refused is asked for again, OPENAI_MAX_RETRIES times in all.

    https://platform.openai.com/docs/guides/structured-outputs

    :raises UnavailableError: if no usable answer came within the attempts and the deadline
    :raises RejectedError: if OpenAI refused
    """
    request: dict[str, Any] = {
        "truncation": "auto",
        # What it thinks before it writes counts as well.
        "max_output_tokens": 2 * settings.OPENAI_MAX_OUTPUT_TOKENS,
        **arguments,
        "input": list(items),
        "store": False,
        "safety_identifier": safety_identifier,
    }

    async def attempt() -> Structured[Answer]:
        response = await openai_client.parse(request, text_format=text_format, deadline=deadline)
        llm.finished(response.to_dict())
        if response.output_parsed is None:
            raise UnavailableError("the answer holds nothing", code="refusal", request_id=response.id)
        tokens = response.usage.total_tokens if response.usage else 0
        return Structured(response.output_parsed, response.id, str(response.model), tokens)

    return event_loop.run(retried(attempt, deadline))
