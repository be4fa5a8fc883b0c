"""What a webhook told, in our own words: messages for the inbox, and events."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote, by whatever ids the channel gave."""

    wa_id: str | None = None
    bsuid: str | None = None
    ig_id: str | None = None
    name: str = ""
    username: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A customer's message; `ignored` says why no turn will answer it."""

    phone_number_id: str
    provider_message_id: str
    person: Person
    kind: str
    text: str
    payload: dict[str, object]
    sent_at: datetime
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Anything else a channel tells; `key` is the same when the same thing is told again."""

    phone_number_id: str
    kind: str
    key: str
    provider_message_id: str
    callback_data: str
    payload: dict[str, object]
    occurred_at: datetime


@dataclass(slots=True)
class Parsed:
    """All that one webhook body held; `problems` says what in it could not be read."""

    inbound: list[Inbound] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
