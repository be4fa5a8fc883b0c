"""The inbox, and what else a channel tells."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from channels_app.models.customer import Customer
from channels_app.models.number import PhoneNumber


class InboundMessage(models.Model):
    """The inbox: each customer message once, in the order of arrival; what a webhook's 200 stands for."""

    class Status(models.TextChoices):
        PENDING = "pending"
        PROCESSING = "processing"
        DONE = "done"
        FAILED = "failed"
        REJECTED = "rejected"
        IGNORED = "ignored"

    id = models.BigAutoField(primary_key=True)
    phone_number = models.ForeignKey(
        PhoneNumber, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="inbox"
    )
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, db_index=False, related_name="inbox")
    provider_message_id = models.TextField()
    kind = models.CharField(max_length=30)
    text = models.TextField(blank=True)
    media = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="references, as the channel gave them",
    )
    quoted_id = models.TextField(
        blank=True, db_default="", help_text="the provider's id of the message it answers"
    )
    context = models.TextField(
        blank=True, db_default="", help_text="what the model should know beside the text"
    )
    payload = models.JSONField()
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    reason = models.CharField(max_length=255, blank=True)
    turn_id = models.CharField(max_length=50, null=True, blank=True)
    sent_at = models.DateTimeField(help_text="when the customer sent it, by the provider's clock")
    received_at = models.DateTimeField(db_default=Now())
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "inbound_messages"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_number", "provider_message_id"], name="inbound_messages_each_once"
            ),
        ]
        indexes = [
            # read by claims: the oldest waiting message of a number
            models.Index(
                fields=["phone_number", "id"], name="inbound_waiting_by_number", condition=Q(status="pending")
            ),
            # read by claims and inbox.store: what one customer still waits with
            models.Index(
                fields=["customer", "id"], name="inbound_waiting_by_customer", condition=Q(status="pending")
            ),
            # read by service_window.check (when a customer last wrote) and identity.move
            models.Index(fields=["customer", "sent_at"], name="inbound_by_customer"),
            models.Index(fields=["turn_id"], name="inbound_by_turn", condition=Q(turn_id__isnull=False)),
            # read by conversations.tracing: what a webhook brought
            models.Index(
                fields=["correlation_id"], name="inbound_by_correlation", condition=~Q(correlation_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind} {self.status}"


class ChannelEvent(models.Model):
    """Whatever a channel tells that is not a customer's message: statuses first of all. Applied in bulk."""

    id = models.BigAutoField(primary_key=True)
    phone_number = models.ForeignKey(
        PhoneNumber, models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events"
    )
    kind = models.CharField(max_length=30)
    event_key = models.CharField(
        max_length=64, help_text="hash of what makes it the same event when told again"
    )
    provider_message_id = models.TextField(blank=True)
    callback_data = models.CharField(max_length=512, blank=True, help_text="our delivery id, if it came back")
    person = models.JSONField(null=True, help_text="the customer's ids")
    data = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        help_text="what it says, as meta.types.Event tells",
    )
    payload = models.JSONField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    apply_after = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)

    class Meta:
        db_table = "channel_events"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_number", "kind", "event_key"], name="channel_events_each_once"
            )
        ]
        indexes = [
            # read by events.apply
            models.Index(
                fields=["apply_after", "id"], name="channel_events_waiting", condition=Q(applied_at=None)
            ),
            # read by inbox.store and taken_back.wipe
            models.Index(
                fields=["provider_message_id"],
                name="channel_events_about_messages",
                condition=Q(kind__in=["revoke", "edit"]),
            ),
            # read by conversations.tracing: what came within an hour. BRIN, as rows lie about in the order in
            # which they came: it is a few pages large, and the next event costs it nothing.
            BrinIndex(fields=["received_at"], name="channel_events_by_time", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class DeadLetter(models.Model):
    """A body of which something, or all, could not be read or stored; kept until a replay succeeds."""

    id = models.BigAutoField(primary_key=True)
    phone_number_id = models.CharField(max_length=50, blank=True)
    reason = models.CharField(max_length=255)
    raw = models.BinaryField(help_text="the whole body as it came")
    source = models.CharField(
        max_length=20, default="meta", db_default="meta", help_text="whose format raw has, see spool.Waiting"
    )
    received_at = models.DateTimeField(db_default=Now())
    replayed_at = models.DateTimeField(null=True, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of raw: each once")

    class Meta:
        db_table = "dead_letters"

    def __str__(self) -> str:
        return f"{self.id} {self.reason}"
