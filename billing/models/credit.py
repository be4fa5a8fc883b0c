"""What a business may spend, and what became of it."""

from django.db import models
from django.db.models import Q

from billing.models.user import User


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

    # The balance's, whose row is locked for each line. No constraint of its own: each charge would lock the
    # business's one row.
    user = models.ForeignKey(
        User, models.PROTECT, db_constraint=False, db_index=False, related_name="credit_entries"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    amount = models.IntegerField(help_text="credits added (positive) or taken (negative)")
    reference = models.CharField(max_length=200, help_text="what it was for; once per kind")
    reason = models.CharField(max_length=255, blank=True)
    actor = models.CharField(
        max_length=100,
        blank=True,
        default="",
        db_default="",
        help_text="the person who adjusted the balance or refunded a reply",
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
