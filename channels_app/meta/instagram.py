"""
Instagram messaging webhooks: the envelopes around what customers and our own account said and did.

https://developers.facebook.com/docs/instagram-platform/webhooks
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Literal

from channels_app.ignored import IgnoredReason
from channels_app.meta import body, instagram_events, instagram_messages
from channels_app.meta.instagram_schemas import Sides, account, sides
from channels_app.meta.schemas import UnfitError, reason
from channels_app.meta.types import Event, Inbound, Parsed, Problem

# What an item is about is said by which of these it has; others (referral, optin, …) ask for nothing.
_READERS: dict[str, Callable[[dict[str, object], Sides], Inbound | Event | None]] = {
    "message": instagram_messages.message,
    "postback": instagram_messages.postback,
    "reaction": instagram_events.reaction,
    "read": instagram_events.read,
    "message_edit": instagram_events.edit,
}
# The dashboard's Test button sends items as changes, and some say that Instagram Login does so too.
_CHANGES = {"messages", "messaging_postbacks", "message_reactions", "messaging_seen", "message_edit"}


def parse(payload: dict[str, object], *, now: datetime) -> Parsed:
    """Read all items of a body, each by itself; a bad one costs no other."""
    parsed = Parsed()
    for entry in body.each(payload, "entry", parsed):
        account_id = account(entry)
        for item in body.each(entry, "messaging", parsed, of=account_id):
            _read(item, account_id, parsed, now)
        for item in _changes(entry, account_id, parsed):
            _read(item, account_id, parsed, now)
        for item in body.each(entry, "standby", parsed, of=account_id):
            _read(item, account_id, parsed, now, ignored=IgnoredReason.ANOTHER_APP)
    return parsed


def _changes(entry: dict[str, object], account_id: str, parsed: Parsed) -> Iterator[dict[str, object]]:
    for change in body.each(entry, "changes", parsed, of=account_id):
        field, value = change.get("field"), change.get("value")
        if not isinstance(field, str):
            parsed.problems.append(Problem("changes: field is no text", change, phone_number_id=account_id))
        elif field in _CHANGES:
            yield from body.each({"value": [value]}, "value", parsed, of=account_id)


def _read(
    item: dict[str, object],
    account_id: str,
    parsed: Parsed,
    now: datetime,
    *,
    ignored: IgnoredReason | Literal[""] = "",
) -> None:
    name = _subject(item)
    if name is None or (name == "message_edit" and instagram_events.is_no_edit(item)):
        return
    try:
        parsed_item = _parsed(name, item, sides(item, account_id=account_id, now=now))
    except Exception as error:  # noqa: BLE001  (whatever it is, its neighbours are read)
        parsed.problems.append(Problem(f"{name}: {reason(error)}", item, phone_number_id=account_id))
        return
    if isinstance(parsed_item, Inbound):
        parsed.inbound.append(replace(parsed_item, ignored=parsed_item.ignored or ignored))
    elif parsed_item is not None:
        parsed.events.append(parsed_item)


def _subject(item: dict[str, object]) -> str | None:
    named = [name for name in _READERS if name in item]
    return next((name for name in named if item[name] is not None), named[0] if named else None)


def _parsed(name: str, item: dict[str, object], about: Sides) -> Inbound | Event | None:
    content = item[name]
    if not isinstance(content, dict):
        raise UnfitError("not an object")
    return _READERS[name](content, about)
