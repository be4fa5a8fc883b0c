"""Prefixed, time-ordered ids: `msg_01JD…`."""

from ulid import ULID


def new(prefix: str) -> str:
    """Make an id that sorts by its time of birth, such as `trn_01JD2Q…` for prefix `trn`."""
    return f"{prefix}_{ULID()}"
