"""Customers."""

from functools import partial

from django.db import models
from django.db.models import Q

from channels_app.models.number import PhoneNumber
from config.lib import ids


class Customer(models.Model):
    """A person on one phone number, whatever ids they are known by."""

    customer_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "cus"))
    # Customers may write to a number before it is registered here.
    phone_number = models.ForeignKey(
        PhoneNumber, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="customers"
    )
    wa_id = models.CharField(max_length=50, null=True, blank=True)
    bsuid = models.CharField(max_length=150, null=True, blank=True)
    ig_id = models.CharField(max_length=100, null=True, blank=True)
    visitor_id = models.CharField(max_length=100, null=True, blank=True)
    external_id = models.CharField(
        max_length=200,
        null=True,
        blank=True,
        help_text="the id under which the business knows them; several customers may have the same",
    )
    username = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255, blank=True)
    due_at = models.DateTimeField(null=True, blank=True, help_text="no turn is claimed before")
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=50, blank=True, db_default="")
    told_unavailable_at = models.DateTimeField(
        null=True, blank=True, help_text="when they were last told that nobody can answer now"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "customers"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_number", name],
                name=f"customers_one_per_{name}",
                condition=Q(**{f"{name}__isnull": False}),
            )
            for name in ("wa_id", "bsuid", "ig_id", "visitor_id")
        ] + [
            models.CheckConstraint(
                condition=Q(wa_id__isnull=False)
                | Q(bsuid__isnull=False)
                | Q(ig_id__isnull=False)
                | Q(visitor_id__isnull=False),
                name="customers_known_by_some_id",
            )
        ]
        indexes = [
            # read by lists of customers, newest first. The condition holds for every row; only those lists
            # name it. Else Postgres would begin lists of conversations and leads with a number's customers.
            models.Index(
                fields=["phone_number", "customer_id"],
                name="customers_by_number",
                condition=Q(customer_id__gt=""),
            ),
            # read by lists that are filtered by external_id
            models.Index(
                fields=["phone_number", "external_id"],
                name="customers_by_external_id",
                condition=Q(external_id__isnull=False),
            ),
            # read by the dashboard: whom a person answers
            models.Index(
                fields=["paused_until"], name="customers_paused", condition=Q(paused_until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.customer_id

    @property
    def address(self) -> str:
        """The phone number if there is one, else the id they are known by (`customer_phone` elsewhere)."""
        return self.wa_id or self.bsuid or self.ig_id or self.visitor_id or ""
