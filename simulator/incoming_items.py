"""The kinds of things a customer can do on each channel, and what each of them needs to be told."""

from simulator.exchange import Json

_FILE = {"media_id", "caption", "filename"}
_ANSWER = {"reply_to"}
# kind → the texts it needs
NEEDED: dict[str, dict[str, set[str]]] = {
    "whatsapp": {
        "text": {"text"},
        **{kind: {"media_id"} for kind in ("image", "video", "audio", "voice", "document", "sticker")},
        "location": set(),
        "contact": {"name", "phone"},
        "button": {"title"},
        "row": {"title"},
        "reaction": {"message_id"},
        "edit": {"message_id", "text"},
        "delete": {"message_id"},
    },
    "instagram": {
        "text": {"text"},
        **{kind: {"media_id"} for kind in ("image", "video", "audio", "voice", "document")},
        "quick_reply": {"text"},
        "story": {"text"},
        "reaction": {"message_id"},
        "edit": {"message_id", "text"},
        "delete": {"message_id"},
    },
}
# What else it may be told; of some a customer's phone says nothing at all.
_ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(("image", "video", "audio", "voice", "document", "sticker"), _FILE | _ANSWER),
    "text": _ANSWER,
    "location": {"latitude", "longitude", "name", "address"} | _ANSWER,
    "contact": _ANSWER,
    "button": {"id"} | _ANSWER,
    "row": {"id", "description"} | _ANSWER,
    "quick_reply": {"payload"},
    "story": {"url"},
    "reaction": {"emoji"},
    "edit": set(),
    "delete": set(),
}
_DEEDS = {"reaction", "edit", "delete"}


class InvalidItemError(ValueError):
    """A message asked for makes no sense; the message of the error says why."""


def checked(items: object, *, channel: str, by_business: bool) -> list[Json]:
    """
    Return the items as they are.

    :raises InvalidItemError: if there is none, or one of them makes no sense
    """
    if not isinstance(items, list) or not items:
        raise InvalidItemError("messages must be a list of objects with a kind")
    for item in items:
        _check(item, channel, by_business=by_business)
    return items


def _check(item: object, channel: str, *, by_business: bool) -> None:
    kinds = NEEDED[channel]
    if by_business:
        kinds = {kind: needed for kind, needed in kinds.items() if kind not in _DEEDS}
    kind = item.get("kind") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(kind, str) or kind not in kinds:
        raise InvalidItemError(f"on {channel} a message's kind is one of: {', '.join(sorted(kinds))}")
    unknown = sorted(str(key) for key in item.keys() - {"kind"} - kinds[kind] - _ALLOWED[kind])
    if unknown:
        raise InvalidItemError(f"{kind} has no {', '.join(unknown)}")
    missing = sorted(name for name in kinds[kind] if not item.get(name))
    if missing:
        raise InvalidItemError(f"{kind} needs {', '.join(missing)}")
    if kind == "location":
        _check_place(item)
    for key in item.keys() - {"latitude", "longitude"}:
        if not isinstance(item[key], str):
            raise InvalidItemError(f"{kind}: {key} must be a text")


def _check_place(item: Json) -> None:
    for key, most in (("latitude", 90), ("longitude", 180)):
        value = item.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
            raise InvalidItemError(f"location: {key} must be a number from -{most} to {most}")
