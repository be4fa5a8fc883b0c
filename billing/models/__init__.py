"""The business (a user), what it may spend, the keys it calls us with, and what it is told."""

from billing.models.audit import AuditEntry
from billing.models.credit import Credit, CreditEntry
from billing.models.email import Email
from billing.models.event import Event, WebhookDelivery, WebhookEndpoint
from billing.models.key import ApiKey, IdempotencyKey
from billing.models.user import User

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Credit",
    "CreditEntry",
    "Email",
    "Event",
    "IdempotencyKey",
    "User",
    "WebhookDelivery",
    "WebhookEndpoint",
]
