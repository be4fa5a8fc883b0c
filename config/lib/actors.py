"""
The actor of the work at hand: the API key, staff member or command that caused it, or the service itself.

The door sets it (the API after authentication, a button of the admin, a management command); the audit log
and the filter by tenant read it. It is a context variable, so that no function in between has to pass it on.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """The kinds of actors."""

    KEY = "key"
    STAFF = "staff"
    COMMAND = "command"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """
    An actor, and the rights that its API key has.

    `identifier` is a key's prefix, a login of the admin or the name of a command; `name` is for people, and
    `address` the client's IP address. `phone_number_ids` are the only numbers it may see; None = all.
    """

    kind: ActorKind
    identifier: str = ""
    name: str = ""
    address: str = ""
    phone_number_ids: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """Return the actor as one text, as the ledger has it: `key:9f2c41ab`, `admin:otto`."""
        kind = "admin" if self.kind is ActorKind.STAFF else self.kind.value
        return f"{kind}:{self.identifier}" if self.identifier else kind


SYSTEM = Actor(ActorKind.SYSTEM)

_current: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def current() -> Actor:
    """Return the actor of the work at hand."""
    return _current.get()


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Set the actor within the block."""
    token = _current.set(actor)
    try:
        yield
    finally:
        _current.reset(token)


def become(actor: Actor) -> None:
    """Set the actor until the enclosing `acting` block ends."""
    _current.set(actor)
