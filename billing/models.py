"""The business (a user), what it may spend, and the keys it calls us with."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from config.lib import ids


class User(models.Model):
    """A business that uses the service (the tenant); people who sign in to the admin are Django's users."""

    user_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "usr"))
    email = models.EmailField(max_length=255, unique=True)
    company_name = models.CharField(max_length=255, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "users"

    def __str__(self) -> str:
        return self.company_name or self.user_id


class Credit(models.Model):
    """A user's balance: always the sum of its ledger, never negative."""

    user = models.OneToOneField(User, models.PROTECT, primary_key=True, related_name="credit")
    remaining_credits = models.IntegerField(default=0)
    full_balance = models.IntegerField(
        default=0,
        db_default=0,
        help_text="what there was after the latest grant; thresholds are shares of it",
    )
    told_percent = models.PositiveSmallIntegerField(
        default=100, db_default=100, help_text="the lowest threshold told since that grant; 100 = none"
    )
    last_updated = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "credits"
        constraints = [
            models.CheckConstraint(condition=Q(remaining_credits__gte=0), name="credits_never_negative")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.remaining_credits}"


class CreditEntry(models.Model):
    """One line of the append-only ledger; a trigger refuses to change or delete it."""

    class Kind(models.TextChoices):
        GRANT = "grant"
        CHARGE = "charge"
        REFUND = "refund"
        ADJUSTMENT = "adjustment"

    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="credit_entries")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.IntegerField(help_text="credits added (positive) or taken (negative)")
    reference = models.CharField(max_length=200, help_text="what it was for; once per kind")
    reason = models.CharField(max_length=255, blank=True)
    actor = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="who adjusted the balance"
    )
    balance_after = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "credit_entries"
        verbose_name_plural = "credit entries"
        indexes = [models.Index(fields=["user", "-id"], name="credit_entries_by_user")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference"], name="credit_entries_once_per_reference"),
            models.CheckConstraint(
                condition=(
                    Q(kind__in=["grant", "refund"], amount__gt=0)
                    | Q(kind="charge", amount__lt=0)
                    | (Q(kind="adjustment") & ~Q(amount=0))
                ),
                name="credit_entries_sign_fits_kind",
            ),
            models.CheckConstraint(
                condition=Q(balance_after__gte=0), name="credit_entries_balance_never_negative"
            ),
            models.CheckConstraint(
                condition=~Q(kind="adjustment") | (~Q(actor="") & ~Q(reason="")),
                name="credit_entries_adjustment_says_who_and_why",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} ({self.reference})"


class Event(models.Model):
    """The outbox of what a business is to be told: written with what it tells of, in one transaction."""

    class Type(models.TextChoices):
        MESSAGE_RECEIVED = "message.received"
        MESSAGE_SENT = "message.sent"
        MESSAGE_FAILED = "message.failed"
        CONVERSATION_IDLE = "conversation.idle"
        CONVERSATION_HANDOVER = "conversation.handover"
        LEAD_CREATED = "lead.created"
        LEAD_UPDATED = "lead.updated"
        CREDITS_LOW = "credits.low"
        CREDITS_EXHAUSTED = "credits.exhausted"
        CHANNEL_ERROR = "channel.error"

    event_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "evt"))
    user = models.ForeignKey(User, models.PROTECT, related_name="events")
    type = models.CharField(max_length=30, choices=Type.choices)
    # Not a foreign key: conversations stand above this room.
    conversation_id = models.CharField(max_length=50, blank=True, default="", db_default="")
    data = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "events"

    def __str__(self) -> str:
        return f"{self.event_id} {self.type}"


class ApiKey(models.Model):
    """A key for the management API. Only its SHA-256 is kept: the key itself is 256 random bits."""

    prefix = models.CharField(primary_key=True, max_length=20)
    hashed_key = models.CharField(max_length=64)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="api_keys", help_text="none = operator key"
    )
    name = models.CharField(max_length=100, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.prefix

    def works(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotencyKey(models.Model):
    """An answer that is given again when its request is repeated; kept for a day."""

    owner = models.CharField(max_length=50, help_text="the caller's user, or `operator`")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked")
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_keys_once_per_owner")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_keys_by_age")]

    def __str__(self) -> str:
        return self.key
