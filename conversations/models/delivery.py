"""Deliveries."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from channels_app.models import PhoneNumber
from config.lib import ids
from conversations.models.message import Message


class Delivery(models.Model):
    """One POST to a channel: a part of a message, once; pending → sending → sent | failed | unknown."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        SENT = "sent"
        DELIVERED = "delivered"
        READ = "read"
        FAILED = "failed"
        UNKNOWN = "unknown"
        CANCELLED = "cancelled"

    delivery_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "dlv"))
    message = models.ForeignKey(Message, models.PROTECT, db_index=False, related_name="deliveries")
    # Its message's. No constraint of its own: each delivery would lock the number's one row.
    phone_number = models.ForeignKey(
        PhoneNumber, models.PROTECT, db_constraint=False, db_index=False, related_name="deliveries"
    )
    attempt = models.PositiveSmallIntegerField(default=1)
    part = models.PositiveSmallIntegerField(default=1)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    is_open = models.BooleanField(
        default=True, db_default=True, help_text="pending or sending; kept by a trigger"
    )
    provider_message_id = models.TextField(null=True, blank=True)
    error = models.TextField(blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sending_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "deliveries"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["message", "attempt", "part"], name="deliveries_each_part_once_per_attempt"
            )
        ]
        indexes = [
            # read by events.apply: the delivery a status speaks of
            models.Index(
                fields=["provider_message_id"],
                name="deliveries_by_provider_id",
                condition=Q(provider_message_id__isnull=False),
            ),
            # read by the sweeper: sends whose holder died, and what a person said or had sent again and
            # nobody has sent yet. A state in the condition would have each status write every index.
            models.Index(fields=["created_at"], name="deliveries_open", condition=Q(is_open=True)),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.state}"
