"""Turns."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from channels_app.models import Customer, PhoneNumber
from config.lib import ids
from conversations.models.conversation import Conversation


class Turn(models.Model):
    """The waiting messages of one customer, answered by one reply: claimed → answered → done | failed."""

    class State(models.TextChoices):
        CLAIMED = "claimed"
        ANSWERED = "answered"
        DONE = "done"
        FAILED = "failed"

    OPEN = (State.CLAIMED, State.ANSWERED)

    turn_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "trn"))
    # Its customer's. No constraint of its own: each turn would lock the number's one row.
    phone_number = models.ForeignKey(
        PhoneNumber, models.PROTECT, db_constraint=False, db_index=False, related_name="turns"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, related_name="turns")
    conversation = models.ForeignKey(Conversation, models.PROTECT, db_index=False, related_name="turns")
    state = models.CharField(max_length=10, choices=State.choices, default=State.CLAIMED)
    lease_token = models.UUIDField(null=True, blank=True, help_text="its holder; none = handed back")
    lease_expires_at = models.DateTimeField()
    deadline_at = models.DateTimeField(help_text="the lease is never renewed past this")
    not_before = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(
        default=0, help_text="holders that vanished before `answered`"
    )
    drafts = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="answers thrown away because the customer wrote on"
    )
    snapshot = models.JSONField(help_text="agent, prompt and price as they were when it was claimed")
    error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    answered_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "turns"
        constraints = [
            models.UniqueConstraint(
                fields=["customer"],
                name="turns_one_open_per_customer",
                condition=Q(closed_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["claimed", "answered"]) | Q(closed_at__isnull=False),
                name="turns_closed_when_ended",
            ),
        ]
        indexes = [
            # read by claims (turns to resume, and which are open), the sweeper and leases. By
            # closed_at, and without the lease: a turn that is answered or renewed writes no index.
            models.Index(
                fields=["phone_number"], name="turns_open_by_number", condition=Q(closed_at__isnull=True)
            ),
            # read by claims: how many replies a customer had lately
            models.Index(fields=["customer", "created_at"], name="turns_by_customer"),
            models.Index(fields=["conversation"], name="turns_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.turn_id} {self.state}"
