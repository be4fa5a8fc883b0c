"""
Every table of the service: its personal data, how long that is kept, and what an erasure does to it.

A table that is missing here fails the tests; `documentation/data.md` is checked against it.
"""

from dataclasses import dataclass
from enum import StrEnum


class OnErasure(StrEnum):
    """What the erasure of a customer does to a table."""

    DELETED = "deleted"
    EMPTIED = "emptied"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Table:
    """What a table holds of people, the setting or the reason that ends it, and what an erasure does."""

    holds: str
    kept: str
    on_erasure: OnErasure


_FOR_GOOD = "for good"
_WITH_ITS_OWNER = "until it is deleted"


def _of_customer(holds: str, kept: str) -> Table:
    return Table(holds, kept, OnErasure.DELETED)


def _of_nobody(holds: str = "nothing", kept: str = _FOR_GOOD) -> Table:
    return Table(holds, kept, OnErasure.KEPT)


TABLES: dict[str, Table] = {
    # Of customers
    "customers": _of_customer("addresses, names, ids", _FOR_GOOD),
    "inbound_messages": _of_customer("words, files, addresses, payloads", "MESSAGE_RETENTION_DAYS"),
    "channel_events": _of_customer("addresses, edited words", "CHANNEL_EVENT_RETENTION_DAYS"),
    "dead_letters": Table(
        "whole bodies, of several customers", "DEAD_LETTER_RETENTION_DAYS", OnErasure.EMPTIED
    ),
    "unsent_pictures": _of_customer("names of files", "six hours"),
    "conversations": _of_customer("addresses, reasons for a handover", "MESSAGE_RETENTION_DAYS"),
    "turns": _of_customer("names in snapshots", "MESSAGE_RETENTION_DAYS"),
    "messages": _of_customer("words, files", "MESSAGE_RETENTION_DAYS"),
    "deliveries": _of_customer("words", "MESSAGE_RETENTION_DAYS"),
    "pending_deletions": _of_customer("ids at OpenAI, names of files", "until they are deleted"),
    "extractions": _of_customer("names, addresses, words", "LEAD_RETENTION_DAYS"),
    "events": _of_customer("words, addresses", "EVENT_RETENTION_DAYS"),
    "webhook_deliveries": _of_customer("when an event was posted", "EVENT_RETENTION_DAYS"),
    "emails": _of_customer("leads", "EMAIL_RETENTION_DAYS"),
    "idempotency_keys": Table("answers of the API, encrypted", "one day", OnErasure.EMPTIED),
    "django_admin_log": Table("names of rows", _FOR_GOOD, OnErasure.EMPTIED),
    # Of an erasure itself
    "tombstones": _of_nobody("keyed hashes of addresses", "TOMBSTONE_RETENTION_DAYS"),
    "erasures": _of_nobody("while it runs: ids, encrypted"),
    "deletion_requests": _of_nobody("none; codes that Meta was answered with"),
    # Of businesses
    "users": _of_nobody("the business's address"),
    "credits": _of_nobody(),
    "credit_entries": _of_nobody("none; an entry names a turn that is gone"),
    "api_keys": _of_nobody("names of keys"),
    "audit_log": _of_nobody("staff: logins and addresses"),
    "webhook_endpoints": _of_nobody("addresses of endpoints", _WITH_ITS_OWNER),
    "phone_numbers": _of_nobody("the business's numbers"),
    "number_checks": _of_nobody(),
    "web_chats": _of_nobody(),
    "agents": _of_nobody(),
    "prompts": _of_nobody(),
    "prompt_versions": _of_nobody(),
    "conversation_archives": _of_nobody(),
    "agent_notices": _of_nobody(),
    "model_shutdowns": _of_nobody(),
    # Of the service and its staff
    "heartbeats": _of_nobody("none; names of hosts", "one day"),
    "leader_leases": _of_nobody(),
    "auth_user": _of_nobody("staff: logins, names, addresses", _WITH_ITS_OWNER),
    "auth_group": _of_nobody(),
    "auth_permission": _of_nobody(),
    "django_content_type": _of_nobody(),
    "django_session": _of_nobody("none; it is not used"),
    "staff_sessions": _of_nobody("staff: IP addresses, browsers", "eight hours after the last visit"),
    "staff_authenticators": _of_nobody("staff: secrets, encrypted", _WITH_ITS_OWNER),
    "otp_static_staticdevice": _of_nobody("staff: recovery codes", _WITH_ITS_OWNER),
    "otp_static_statictoken": _of_nobody("staff: recovery codes", _WITH_ITS_OWNER),
    "otp_totp_totpdevice": _of_nobody("staff: names of authenticators", _WITH_ITS_OWNER),
}
