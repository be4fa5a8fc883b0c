"""Ids in the form OpenAI and Meta give them."""

import base64
import os
import zlib


def openai_id(prefix: str) -> str:
    """Make an id such as ``resp_…``, ``msg_…`` or ``conv_…``."""
    return f"{prefix}_{os.urandom(25).hex()}"


def request_id() -> str:
    """Make the value of an ``x-request-id`` header."""
    return f"req_{os.urandom(16).hex()}"


def wamid(phone: str, *, outgoing: bool = False) -> str:
    """Make a WhatsApp message id, which holds the customer's number and the direction as real ones do."""
    number = phone.encode()
    marker = b"\x11\x18\x12" + os.urandom(9).hex().upper().encode()
    if not outgoing:
        marker = b"\x12\x18\x14" + b"3A" + os.urandom(9).hex().upper().encode()
    raw = b"\x1c\x18" + bytes([len(number)]) + number + b"\x15\x02\x00" + marker + b"\x00"
    return f"wamid.{base64.b64encode(raw).decode()}"


def mid() -> str:
    """Make an Instagram message id."""
    return f"aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx{os.urandom(20).hex()}ZD"


def fbtrace_id() -> str:
    """Make the trace id of a Graph API error."""
    return f"A{base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip('=')}"


def business_scoped_user_id(wa_id: str) -> str:
    """Return the same made-up BSUID for the same phone number."""
    return f"US.1349{zlib.crc32(wa_id.encode()):016d}"


def display_phone_number(phone_number_id: str) -> str:
    """Return the same made-up phone number for the same phone number id."""
    return f"1202555{zlib.crc32(phone_number_id.encode()) % 10_000:04d}"
