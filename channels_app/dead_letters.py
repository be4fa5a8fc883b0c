"""Dead letters: bodies of which something could not be read or stored, each kept once, as a whole."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

import structlog

from channels_app.meta.types import Problem
from channels_app.models import DeadLetter
from config.lib.texts import storable

log = structlog.get_logger(__name__)


def keep(
    raw: bytes, *, source: str, received_at: datetime, problems: Sequence[Problem], correlation_id: str
) -> None:
    """Store a body as a dead letter; one that was replayed before waits for a replay again."""
    why = reason(problems)
    log.warning("intake.dead_letter", reason=why, size=len(raw))
    letter = DeadLetter(
        phone_number_id=storable(problems[0].phone_number_id)[:50],
        reason=why,
        raw=raw,
        source=storable(source)[:20],
        received_at=received_at,
        digest=hashlib.sha256(raw).hexdigest(),
        correlation_id=storable(correlation_id)[:64],
    )
    DeadLetter.objects.bulk_create(
        [letter], update_conflicts=True, unique_fields=["digest"], update_fields=["reason", "replayed_at"]
    )


def replace_body(letter: DeadLetter, raw: bytes) -> None:
    """Replace the body of a letter by one of which something was taken out."""
    letter.raw, letter.digest = raw, hashlib.sha256(raw).hexdigest()
    letter.save(update_fields=["raw", "digest"])


def reason(problems: Sequence[Problem]) -> str:
    """Return the reasons of all problems in one line, each once."""
    return storable("; ".join(dict.fromkeys(problem.reason for problem in problems)))[:255]
