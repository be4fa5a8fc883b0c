"""
The audit log: who changed which part of a configuration, written in the transaction of the change.

The actor, its address and the correlation id come from the context (`config.lib.actors`, `config.lib.logs`).
Secrets and personal data are named, never stored.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from billing.models import AuditEntry
from config.lib import actors, logs
from config.lib.texts import timestamp

Changes = dict[str, dict[str, Any]]

# Fields of which an entry has the name only. The URL of an endpoint often has a token in it.
_SECRET = frozenset({"access_token", "secret", "url"})
_PRIVATE = frozenset({"email", "notify_email"})
_LONGEST_VALUE = 500


class Action(StrEnum):
    """The changes that are recorded: the kind of the object, and what was done to it."""

    API_KEY_CREATED = "api_key.created"
    API_KEY_ROTATED = "api_key.rotated"
    API_KEY_REVOKED = "api_key.revoked"
    USER_CREATED = "user.created"
    USER_UPDATED = "user.updated"
    CREDITS_GRANTED = "credits.granted"
    CREDITS_ADJUSTED = "credits.adjusted"
    CREDITS_REFUNDED = "credits.refunded"
    PROMPT_CREATED = "prompt.created"
    PROMPT_UPDATED = "prompt.updated"
    PROMPT_VERSION_PUBLISHED = "prompt.version_published"
    PROMPT_ROLLED_BACK = "prompt.rolled_back"
    AGENT_CREATED = "agent.created"
    AGENT_UPDATED = "agent.updated"
    AGENT_RELINKED = "agent.relinked"
    AGENT_DELETED = "agent.deleted"
    PHONE_NUMBER_ADDED = "phone_number.added"
    PHONE_NUMBER_UPDATED = "phone_number.updated"
    PHONE_NUMBER_TOKEN_ROTATED = "phone_number.token_rotated"  # noqa: S105  (an action, not a token)
    PHONE_NUMBER_DELETED = "phone_number.deleted"
    WEBCHAT_UPDATED = "webchat.updated"
    WEBCHAT_SECRET_ROTATED = "webchat.secret_rotated"  # noqa: S105  (an action, not a secret)
    CUSTOMER_ERASED = "customer.erased"
    CUSTOMER_EXPORTED = "customer.exported"
    WEBHOOK_ENDPOINT_CREATED = "webhook_endpoint.created"
    WEBHOOK_ENDPOINT_UPDATED = "webhook_endpoint.updated"
    WEBHOOK_ENDPOINT_DELETED = "webhook_endpoint.deleted"
    WEBHOOK_ENDPOINT_SECRET_ROTATED = "webhook_endpoint.secret_rotated"  # noqa: S105

    @property
    def object_kind(self) -> str:
        """Return the kind of the object, such as `agent`."""
        return self.value.partition(".")[0]


def record(
    action: Action, object_id: str, *, user_id: str | None, changes: Changes | None = None
) -> AuditEntry:
    """Store an entry about an object of a business, or of operators where `user_id` is None."""
    actor = actors.current()
    return AuditEntry.objects.create(
        user_id=user_id,
        actor_kind=actor.kind.value,
        actor_id=actor.identifier[:150],
        actor_name=actor.name[:150],
        address=actor.address[:100],
        action=action.value,
        object_kind=action.object_kind,
        object_id=object_id,
        changes=changes or {},
        correlation_id=logs.correlation_id()[:64],
    )


def record_update(
    action: Action,
    object_id: str,
    *,
    user_id: str | None,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    """Store an entry about the fields whose values differ; none where none does."""
    if changes := difference(before, after):
        record(action, object_id, user_id=user_id, changes=changes)


def snapshot(row: object, names: Iterable[str]) -> dict[str, Any]:
    """Return the values of some fields of a row, to compare them after a change."""
    return {name: getattr(row, name) for name in names}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Return the fields whose values differ, with both values where they may be stored."""
    return {
        name: _values(name, before.get(name), value)
        for name, value in after.items()
        if before.get(name) != value
    }


def _values(name: str, before: Any, after: Any) -> dict[str, Any]:
    return {} if name in _SECRET | _PRIVATE else {"before": _storable(before), "after": _storable(after)}


def _storable(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        return f"{value[:_LONGEST_VALUE]}…"
    return value
