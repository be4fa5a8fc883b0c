"""
What was said, as it is read for its lead: as data that nobody can mistake for anything else.

Everything in a transcript was written by strangers. It reaches the model as JSON in which neither a line
break nor `<` or `>` can stand, between delimiters that have both and a random word.
"""

import json
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import phonenumbers

from agents.prompt_variables import zone
from channels_app.models import Customer
from config.lib.texts import storable
from conversations import rendering
from conversations.models import Conversation, Message
from extraction.models import FIELDS

MOST_MESSAGES = 300
LONGEST_TEXT = 60_000
LONGEST_MESSAGE = 4_000

_READ = (
    *("message_id", "sender", "author", "kind", "text", "media", "context", "reaction", "timestamp"),
    "sequence_no",
)


@dataclass(frozen=True, slots=True)
class Line:
    """A message; `text` is all of it in words, `own` only what its author (customer, ai, staff) said."""

    number: int
    message_id: str
    author: str
    text: str
    own: str
    at: datetime

    @property
    def is_customers(self) -> bool:
        """Whether the customer said it."""
        return self.author == Message.Author.CUSTOMER


@dataclass(frozen=True, slots=True)
class Transcript:
    """
    A talk, oldest line first.

    `customer_phone` is the customer's own number as `+…`, empty if the channel tells none; `region` is the
    country (such as `DE`) whose numbers may be written without their prefix, empty if none is.
    """

    customer_id: str
    channel: str
    customer_phone: str
    customer_name: str
    region: str
    timezone: str
    business_name: str
    lines: tuple[Line, ...]

    @property
    def customer_lines(self) -> tuple[Line, ...]:
        """What the customer said."""
        return tuple(line for line in self.lines if line.is_customers)

    def cited(self, numbers: Iterable[int]) -> tuple[Line, ...]:
        """Return the lines with these numbers; unknown numbers are skipped."""
        wanted = set(numbers)
        return tuple(line for line in self.lines if line.number in wanted)


def read(*, conversation_id: str, upto: int) -> Transcript:
    """
    Read a talk up to a message, the newest part of a long one, without what was taken back or never arrived.

    :raises Conversation.DoesNotExist: if there is none
    """
    conversation = Conversation.objects.select_related("user", "customer__phone_number").get(
        pk=conversation_id
    )
    phone, region = origin(conversation.customer)
    return Transcript(
        customer_id=conversation.customer_id,
        channel=conversation.customer.phone_number.type,
        customer_phone=phone,
        customer_name=conversation.customer.name,
        region=region,
        timezone=conversation.user.timezone,
        business_name=conversation.user.company_name,
        lines=_lines(conversation_id, upto),
    )


def origin(customer: Customer) -> tuple[str, str]:
    """Return a customer's own number as `+…`, empty if the channel sends none, and their country."""
    phone = f"+{customer.wa_id}" if customer.wa_id else ""
    return phone, region_of(phone) or region_of(customer.phone_number.external_number)


def region_of(phone: str) -> str:
    """Return the country of an international number, such as `DE`; empty if it is no such number."""
    try:
        code = phonenumbers.parse(phone).country_code
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_country_code(code or 0)
    return region if region.isalpha() and region != "ZZ" else ""


def _lines(conversation_id: str, upto: int) -> tuple[Line, ...]:
    messages = Message.objects.filter(conversation_id=conversation_id, sequence_no__lte=upto, deleted_at=None)
    # A reply that did not arrive was not said.
    arrived = messages.exclude(sender=Message.Sender.AGENT, status=Message.Status.FAILED)
    lines: list[Line] = []
    room = LONGEST_TEXT
    for message in arrived.only(*_READ).order_by("-sequence_no")[:MOST_MESSAGES]:
        line = Line(
            number=message.sequence_no,
            message_id=message.message_id,
            author=message.author,
            text=_fitted(rendering.words(message)),
            own=_fitted(rendering.own_text(message)),
            at=message.timestamp,
        )
        room -= _size(line.text)
        if room < 0:
            break
        lines.append(line)
    return tuple(reversed(lines))


def _fitted(text: str) -> str:
    """Return the beginning of a text: LONGEST_MESSAGE characters, less where they grow when they are used."""
    text = text[:LONGEST_MESSAGE]
    while _size(text) > 2 * LONGEST_MESSAGE:
        text = text[: len(text) // 2]
    return text


def _size(text: str) -> int:
    """
    Count the characters of a text as it is sent and as it is compared with a lead's fields.

    An invisible character is sent as up to twelve, and some ligatures are compared as eighteen.
    """
    sent = len(_encoded({"text": text})) - len(_encoded({"text": ""}))
    return max(sent, len(unicodedata.normalize("NFKC", text)))


# --- For the model -----------------------------------------------------------------------------------


def items(transcript: Transcript, *, lead: dict[str, Any] | None, now: datetime) -> list[dict[str, Any]]:
    """Return the one input item of a request: the context, the earlier lead if any, the transcript."""
    nonce = secrets.token_hex(8)
    blocks = [_block("context", nonce, [_context(transcript, now)])]
    if lead is not None:
        blocks.append(_block("earlier_lead", nonce, [_lead(lead, transcript)]))
    blocks.append(_block("transcript", nonce, [_line(line, transcript) for line in transcript.lines]))
    return [{"role": "user", "content": "\n\n".join(blocks)}]


def _context(transcript: Transcript, now: datetime) -> dict[str, Any]:
    return {
        "business": transcript.business_name,
        "channel": transcript.channel,
        "timezone": transcript.timezone,
        "now": _local(now, transcript),
        "profile_name": transcript.customer_name or None,
        "known_phone": transcript.customer_phone or None,
    }


def _lead(lead: dict[str, Any], transcript: Transcript) -> dict[str, Any]:
    """Return its fields and nothing else of it."""
    values = {field: lead.get(field) for field in FIELDS}
    at = values["demo_datetime"]
    return {**values, "demo_datetime": _local(at, transcript) if isinstance(at, datetime) else at}


def _line(line: Line, transcript: Transcript) -> dict[str, Any]:
    return {
        "n": line.number,
        "from": "customer" if line.is_customers else "business",
        "at": _local(line.at, transcript),
        "text": line.text,
    }


def _local(at: datetime, transcript: Transcript) -> str:
    """Write a time as it is at the business, such as `2026-11-24T16:30+01:00 Tuesday`."""
    local = at.astimezone(zone(transcript.timezone))
    return f"{local.isoformat(timespec='minutes')} {local:%A}"


def _block(name: str, nonce: str, rows: list[dict[str, Any]]) -> str:
    return "\n".join([f"<{name} {nonce}>", *(_encoded(row) for row in rows), f"</{name} {nonce}>"])


# Delimiters, and whatever is not plain ASCII and may be invisible or end a line.
_SUSPECT = re.compile(r"[<>]|[^\x20-\x7e]")


def _encoded(row: dict[str, Any]) -> str:
    """Write JSON on one line, with neither delimiters nor invisible characters in it."""
    whole = {key: storable(value) if isinstance(value, str) else value for key, value in row.items()}
    return _SUSPECT.sub(_escaped, json.dumps(whole, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in "<>":
        return f"\\u{ord(character):04x}"
    if unicodedata.category(character)[0] == "C" or unicodedata.category(character) in {"Zl", "Zp"}:
        return json.dumps(character)[1:-1]
    return character
