"""Prefixed, time-ordered ids: `msg_01JD…`."""

from datetime import datetime

from ulid import ULID

_LENGTH_OF_TIME = 10


def new(prefix: str) -> str:
    """Make an id that sorts by its time of birth, such as `trn_01JD2Q…` for prefix `trn`."""
    return f"{prefix}_{ULID()}"


def first(prefix: str, at: datetime) -> str:
    """Return an id that sorts after every id made before that moment, and before every later one."""
    return f"{prefix}_{str(ULID.from_datetime(at))[:_LENGTH_OF_TIME]}"
