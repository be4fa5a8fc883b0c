"""
Tombstones: keep what a webhook tells late, or again, from bringing the data of an erased customer back.

Of an address only an HMAC is kept, by a key that is made of FIELD_ENCRYPTION_KEY; each key that is configured
is tried. Somebody who writes anew after the erasure is a new customer.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.db.models import Q

from channels_app.meta.types import Event, Inbound, Parsed, Person
from channels_app.models import Customer, Tombstone
from config.lib import sql

log = structlog.get_logger(__name__)

IDS = ("wa_id", "bsuid", "ig_id", "visitor_id")
_PURPOSE = b"tombstones of erased customers"
BATCH = 1000

Names = list[tuple[str, str]]


def add(
    *, phone_number_id: str, person: dict[str, str], message_ids: Iterable[str], erased_at: datetime
) -> int:
    """
    Store tombstones for a person's ids and for messages by the channel's ids and deliveries by ours.

    In the caller's transaction, which holds the number's intake lock. Returns how many were stored.
    """
    rows = [(digest, Tombstone.Kind.PERSON) for digest in _digests(phone_number_id, person.items())[0]]
    names = [("message", message_id) for message_id in {*message_ids} if message_id]
    rows += [(digest, Tombstone.Kind.MESSAGE) for digest in _digests(phone_number_id, names)[0]]
    for start in range(0, len(rows), BATCH):
        Tombstone.objects.bulk_create(
            [
                Tombstone(digest=digest, kind=kind, erased_at=erased_at)
                for digest, kind in rows[start : start + BATCH]
            ],
            update_conflicts=True,
            unique_fields=["digest"],
            update_fields=["erased_at"],
        )
    return len(rows)


def without_erased_messages(
    inbound: list[tuple[Inbound, Parsed]],
) -> list[tuple[Inbound, Parsed]]:
    """Leave out messages of erased customers from before their erasure; the numbers are locked."""
    stones = _Stones(
        (message.phone_number_id, [*_ids(message.person), ("message", message.provider_message_id)])
        for message, _ in inbound
    )
    if not stones:
        return inbound
    kept = [
        (message, webhook)
        for message, webhook in inbound
        if not stones.has(message.phone_number_id, [("message", message.provider_message_id)])
        and not stones.has(message.phone_number_id, _ids(message.person), at=message.sent_at)
    ]
    _log(len(inbound) - len(kept), "messages")
    return kept


def without_erased_events(told: list[tuple[Event, Parsed]]) -> list[tuple[Event, Parsed]]:
    """
    Leave out events about messages that were erased, and events of erased customers.

    A status that comes after the erasure names the customer as well: unless they have written anew, it is
    left out.
    """
    stones = _Stones((event.phone_number_id, [*_of_event(event), *_people(event)]) for event, _ in told)
    if not stones:
        return told
    kept = [(event, webhook) for event, webhook in told if not _is_erased(event, stones)]
    _log(len(told) - len(kept), "events")
    return kept


def _is_erased(event: Event, stones: "_Stones") -> bool:
    number, people = event.phone_number_id, _people(event)
    if stones.has(number, _of_event(event)) or stones.has(number, people, at=event.occurred_at):
        return True
    return stones.has(number, people) and not _is_customer(number, people)


def _is_customer(phone_number_id: str, ids: Names) -> bool:
    """Check whether a person has written anew."""
    by_any = Q(pk__in=[])
    for name, value in ids:
        by_any |= Q(**{name: value})
    return Customer.objects.filter(by_any, phone_number_id=phone_number_id).exists()


def _ids(person: Person | None) -> Names:
    return [(name, value) for name in IDS if person is not None and (value := getattr(person, name))]


def _people(event: Event) -> Names:
    """Return the ids of everybody whom an event names: also those before and after a change of ids."""
    found = _ids(event.person)
    for side in ("old", "new"):
        ids = event.data.get(side)
        if isinstance(ids, dict):
            found += [(name, str(ids[name])) for name in IDS if ids.get(name)]
    return found


def _of_event(event: Event) -> Names:
    return [("message", value) for value in (event.provider_message_id, event.callback_data) if value]


class _Stones:
    """The tombstones that webhooks may be about, read by one statement."""

    def __init__(self, named: Iterable[tuple[str, Names]]) -> None:
        self._digests: dict[tuple[str, str, str], list[str]] = {}
        for number, names in named:
            for (name, value), digests in zip(names, zip(*_digests(number, names), strict=True), strict=True):
                self._digests[number, name, value] = list(digests)
        wanted = sorted({digest for digests in self._digests.values() for digest in digests})
        self._found: dict[str, Any] = {}
        if wanted:
            self._found = {row["digest"]: row["erased_at"] for row in sql.rows(_FIND_SQL, [wanted])}

    def __bool__(self) -> bool:
        return bool(self._found)

    def has(self, number: str, names: Names, *, at: datetime | None = None) -> bool:
        """Check whether any of these names was erased, and not before `at`."""
        for name, value in names:
            for digest in self._digests.get((number, name, value), ()):
                erased_at = self._found.get(digest)
                if erased_at is not None and (at is None or at <= erased_at):
                    return True
        return False


_FIND_SQL = "SELECT digest, erased_at FROM tombstones WHERE digest = ANY(%s)"


def _digests(number: str, names: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the digests of names by each key of the service, the newest key's first."""
    said = [f"{number}\n{name}\n{value}".encode() for name, value in names]
    return [[hmac.new(key, text, hashlib.sha256).hexdigest() for text in said] for key in _keys()]


def _keys() -> Sequence[bytes]:
    return [
        hmac.new(base64.b64decode(key), _PURPOSE, hashlib.sha256).digest()
        for key in settings.FIELD_ENCRYPTION_KEYS
    ]


def _log(count: int, what: str) -> None:
    if count:
        log.info("intake.erased_left_out", **{what: count})
