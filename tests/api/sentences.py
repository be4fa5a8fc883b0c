"""What the errors of the API say to people."""

import re
from collections.abc import Iterator
from typing import Any

_SENTENCE = re.compile(r"[\"`“]?[A-Z`{].*[.!?]", re.DOTALL)


def details_of(problem: dict[str, Any]) -> Iterator[str]:
    """Yield every text for people in a problem document."""
    yield problem["detail"]
    for error in problem.get("errors", []):
        yield error["detail"]


def is_sentence(detail: str) -> bool:
    """Return whether a text begins as a sentence does and ends as one."""
    return bool(_SENTENCE.fullmatch(detail))


def require_sentences(answer: Any) -> None:
    """Check that a problem document speaks in whole sentences; other answers are let through."""
    if answer.headers.get("Content-Type", "") != "application/problem+json":
        return
    fragments = [detail for detail in details_of(answer.json()) if not is_sentence(detail)]
    assert fragments == []
