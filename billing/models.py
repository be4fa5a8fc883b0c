"""The business (a user), what it may spend, and the keys it calls us with."""

from functools import partial

from django.db import models
from django.db.models import Q

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

    user = models.ForeignKey(User, models.PROTECT, related_name="credit_entries")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.IntegerField(help_text="credits added (positive) or taken (negative)")
    reference = models.CharField(max_length=200, help_text="what it was for; once per kind")
    reason = models.CharField(max_length=255, blank=True)
    balance_after = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "credit_entries"
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
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} ({self.reference})"


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

    def __str__(self) -> str:
        return self.prefix
