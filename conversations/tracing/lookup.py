"""From an identifier that a person has to the rows it stands for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ulid import ULID

from config.lib import sql
from conversations.tracing import queries

ACCEPTED = (
    "a correlation id (cor_…, or one of a caller's own), a message id (msg_…), a turn id (trn_…), "
    "a delivery id (dlv_…), the number of a row of inbound_messages, or the channel's id (wamid.…)"
)
# An id of a row has no more digits; PostgreSQL's bigint holds no more than this.
_LARGEST_ROW_ID = 2**63 - 1


class UnknownIdError(Exception):
    """No message, turn or webhook has this identifier."""


@dataclass(slots=True)
class Matches:
    """Ids of the rows that an identifier stands for."""

    inbound: set[int] = field(default_factory=set)
    messages: set[str] = field(default_factory=set)
    turns: set[str] = field(default_factory=set)
    dead_letters: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.inbound or self.messages or self.turns or self.dead_letters)

    def add_messages(self, rows: list[dict[str, Any]]) -> None:
        """Add rows of `messages` with what they belong to."""
        self.messages |= {row["message_id"] for row in rows}
        self.inbound |= {row["inbound_id"] for row in rows if row["inbound_id"]}
        self.turns |= {row["turn_id"] for row in rows if row["turn_id"]}


def find(identifier: str) -> Matches:
    """
    Find the rows of an identifier.

    :raises UnknownIdError: if there are none
    """
    matches = Matches()
    if identifier.isascii() and identifier.isdigit() and int(identifier) <= _LARGEST_ROW_ID:
        matches.inbound = _ids(queries.INBOUND_BY_ID_SQL, int(identifier))
    elif identifier.startswith("msg_"):
        matches.add_messages(sql.rows(queries.MESSAGES_BY_ID_SQL, {"id": identifier}))
    elif identifier.startswith("dlv_"):
        matches.add_messages(sql.rows(queries.MESSAGES_BY_DELIVERY_SQL, {"id": identifier}))
    elif identifier.startswith("trn_"):
        matches.turns = {row["turn_id"] for row in sql.rows(queries.TURN_BY_ID_SQL, {"id": identifier})}
    else:
        _find_foreign(identifier, matches)
    if not matches:
        raise UnknownIdError(f"Nothing has the id {identifier}. Accepted are {ACCEPTED}.")
    return matches


def _find_foreign(identifier: str, matches: Matches) -> None:
    """Find a correlation id or a channel's id: neither tells by its form which it is."""
    matches.inbound = _ids(queries.INBOUND_BY_CORRELATION_SQL, identifier)
    matches.dead_letters = sql.rows(queries.DEAD_LETTERS_SQL, {"id": identifier})
    if not matches and (at := _moment(identifier)):
        matches.add_messages(sql.rows(queries.MESSAGES_BY_STATUS_SQL, {"id": identifier, "at": at}))
    if not matches:
        matches.add_messages(sql.rows(queries.MESSAGES_BY_PROVIDER_ID_SQL, {"id": identifier}))
    if not matches:
        matches.inbound = _ids(queries.INBOUND_BY_PROVIDER_ID_SQL, identifier)


def _ids(statement: str, identifier: str | int) -> set[int]:
    return {row["id"] for row in sql.rows(statement, {"id": identifier})}


def _moment(identifier: str) -> datetime | None:
    """Return when one of our own correlation ids was made."""
    prefix, _, rest = identifier.partition("_")
    try:
        return ULID.from_str(rest).datetime if prefix == "cor" else None
    except ValueError:
        return None
