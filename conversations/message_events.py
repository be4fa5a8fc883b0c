"""
Events about messages: each carries the message object as it is when the event is recorded.

`data.message` is what the API answers for the message. The other members of `data` are those that events had
before there was a message object; receivers read them, so they stay.
"""

from collections.abc import Sequence
from typing import Any

from billing import events
from billing.events import EventType, NewEvent
from conversations import message_object
from conversations.models import Message

_SENT = ("message_id", "phone_number_id", "author", "text", "timestamp")
_COPIED = {
    EventType.MESSAGE_RECEIVED: (
        *("message_id", "phone_number_id", "channel", "customer_phone", "kind", "text", "timestamp"),
    ),
    EventType.MESSAGE_SENT: _SENT,
    EventType.MESSAGE_DELIVERED: ("message_id",),
    EventType.MESSAGE_READ: ("message_id",),
    EventType.MESSAGE_FAILED: ("message_id",),
    EventType.MESSAGE_UNKNOWN: _SENT,
}
TYPES = tuple(_COPIED)
# Kept even where no endpoint wants them yet: a person has to act.
_ALWAYS_KEPT = frozenset({EventType.MESSAGE_FAILED, EventType.MESSAGE_UNKNOWN})


def record(*changes: tuple[str, EventType]) -> None:
    """
    Record events about messages, given by their ids, in this order and in the caller's transaction.

    Four statements, however many events they are; no row is locked.
    """
    if not changes:
        return
    messages = _messages([message_id for message_id, _ in changes])
    events.record_all(
        [
            NewEvent(
                user_id=messages[message_id].user_id,
                type=type_,
                data=_data(type_, messages[message_id]),
                conversation_id=messages[message_id].conversation_id,
            )
            for message_id, type_ in changes
        ]
    )


def record_if_wanted(message_id: str, type_: EventType, *, user_id: str) -> None:
    """Record an event about a message if an endpoint of its business wants it."""
    if type_ in _ALWAYS_KEPT or events.is_wanted(user_id=user_id, type=type_):
        record((message_id, type_))


def record_not_answered(*, turn_id: str, user_id: str, conversation_id: str, reason: str) -> None:
    """Record that no reply could be made: `message` is the newest of the messages that stay unanswered."""
    unanswered = Message.objects.filter(turn=turn_id, author=Message.Author.CUSTOMER)
    newest = message_object.rows(unanswered).order_by("-sequence_no").first()
    about = {"message": message_object.of(newest)} if newest else {}
    events.record(
        user_id=user_id,
        type=EventType.MESSAGE_FAILED,
        data={"turn_id": turn_id, "reason": reason, **about},
        conversation_id=conversation_id,
    )


def raised_by(*, before: str, after: str, wanted: Sequence[str]) -> list[EventType]:
    """
    Return the events that a change of a message's status raises; `wanted` are the types that endpoints want.

    A message may be read, or have failed, without having been seen as delivered or sent.
    """
    status = Message.Status
    unsent = {status.PENDING, status.UNKNOWN, status.FAILED}
    arrived = {status.SENT, status.DELIVERED, status.READ}
    raised = {
        EventType.MESSAGE_FAILED: after == status.FAILED,
        EventType.MESSAGE_SENT: after in arrived and before in unsent,
        EventType.MESSAGE_DELIVERED: after == status.DELIVERED,
        EventType.MESSAGE_READ: after == status.READ,
    }
    return [
        type_
        for type_, is_raised in raised.items()
        if is_raised and (type_ in _ALWAYS_KEPT or type_ in wanted)
    ]


def _messages(message_ids: list[str]) -> dict[str, Message]:
    rows = message_object.rows(Message.objects.filter(pk__in=set(message_ids)))
    return {message.pk: message for message in rows}


def _data(type_: EventType, message: Message) -> dict[str, Any]:
    described = message_object.of(message)
    data: dict[str, Any] = {"message": described, **{name: described[name] for name in _COPIED[type_]}}
    if type_ in _ALWAYS_KEPT:
        data["reason"] = described["failure_reason"]
    if type_ is EventType.MESSAGE_UNKNOWN:
        data["unknown_since"] = described["unknown_at"]
    return data
