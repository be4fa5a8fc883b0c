"""What a webhook told, in our own words: messages for the inbox, and events."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from channels_app.ignored import IgnoredReason


@dataclass(frozen=True, slots=True)
class Person:
    """
    Somebody on the other side, by whatever ids the channel gave.

    `external_id` is the id under which the business knows them, where its own server vouched for it.
    """

    wa_id: str | None = None
    bsuid: str | None = None
    ig_id: str | None = None
    name: str = ""
    username: str = ""
    visitor_id: str | None = None
    external_id: str | None = None

    @property
    def is_known(self) -> bool:
        """Return whether the customer has any id."""
        return bool(self.wa_id or self.bsuid or self.ig_id or self.visitor_id)


@dataclass(frozen=True, slots=True)
class Media:
    """
    A file that came with a message, by reference.

    `kind` is image, video, audio, voice, document or sticker. WhatsApp gives `media_id`, which is fetched in
    two steps; Instagram gives a signed `url` that expires. `name` is where one lies in the storage already.
    """

    kind: str
    media_id: str = ""
    url: str = ""
    mime_type: str = ""
    filename: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Inbound:
    """
    A customer's message.

    `kind` is text, image, video, audio, voice, document, sticker, location, contacts, choice, form, order,
    share, story_reply, story_mention, unsupported or unknown. `text` is what a person would read in the chat,
    in words also where the kind is no text. `context` is what the model should know beside it (an ad).
    `quoted_id` is the provider's id of the message it answers. `ignored` says why no turn will answer it.
    """

    phone_number_id: str
    provider_message_id: str
    person: Person
    kind: str
    text: str
    payload: dict[str, object]
    sent_at: datetime
    media: tuple[Media, ...] = ()
    quoted_id: str = ""
    context: str = ""
    ignored: IgnoredReason | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Event:
    """
    Anything else a channel tells; `key` is the same when the same thing is told again.

    | kind | provider_message_id | data |
    |---|---|---|
    | status | our message | status (sent, delivered, read, played, failed), error |
    | read | the message read last, of ours | |
    | reaction | the message reacted to | emoji ("" = taken back) |
    | edit | the message edited | text |
    | revoke | the message taken back | |
    | echo | the message our side sent | kind, text |
    | identity | | old and new: objects with wa_id, bsuid |
    | notice | | code, title: an error of the channel itself |

    `person` is the customer's side of it, where it has one (for identity: as known before).
    """

    phone_number_id: str
    kind: str
    key: str
    payload: dict[str, object]
    occurred_at: datetime
    provider_message_id: str = ""
    callback_data: str = ""
    person: Person | None = None
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """An item that could not be read or stored; `reason` quotes nothing of it."""

    reason: str
    item: object
    phone_number_id: str = ""


@dataclass(slots=True)
class Parsed:
    """All that one webhook body held, and the correlation id it came with."""

    inbound: list[Inbound] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    correlation_id: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """What a log line may have of it: the numbers it is for, and how many items of each kind."""
        numbers = {message.phone_number_id for message in self.inbound}
        return {
            "phone_number_id": sorted(numbers | {event.phone_number_id for event in self.events}),
            "messages": dict(Counter(message.kind for message in self.inbound)),
            "events": dict(Counter(event.kind for event in self.events)),
            "problems": len(self.problems),
        }
