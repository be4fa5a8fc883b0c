"""How long each kind of data is kept, in days; 0 = for good. `documentation/data.md` explains each."""

from typing import NamedTuple

from config.environment import Environment


class Retention(NamedTuple):
    """Days that each kind of data is kept, in the order in which `config.settings` names them."""

    events: int
    channel_events: int
    emails: int
    raw_payloads: int
    dead_letters: int
    messages: int
    media: int
    leads: int
    tombstones: int


def read(env: Environment) -> Retention:
    """Return the settings of retention."""
    # Once it was one setting for the first three.
    events = env.int("EVENT_RETENTION_DAYS", default=30)
    return Retention(
        events=events,
        channel_events=env.int("CHANNEL_EVENT_RETENTION_DAYS", default=events),
        emails=env.int("EMAIL_RETENTION_DAYS", default=events),
        raw_payloads=env.int("RAW_PAYLOAD_RETENTION_DAYS", default=90),
        dead_letters=env.int("DEAD_LETTER_RETENTION_DAYS", default=180),
        messages=env.int("MESSAGE_RETENTION_DAYS", default=1095),
        media=env.int("MEDIA_RETENTION_DAYS", default=365),
        leads=env.int("LEAD_RETENTION_DAYS", default=1095),
        tombstones=env.int("TOMBSTONE_RETENTION_DAYS", default=365),
    )
