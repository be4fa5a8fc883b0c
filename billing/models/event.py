"""What a business is told, and where."""

from datetime import datetime
from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Func, Q, Value
from django.db.models.functions import Now

from billing.models.user import User
from config.lib import crypto, ids, tenancy


class Event(models.Model):
    """
    The outbox of what a business is to be told: written with what it tells of, in one transaction.

    A trigger gives each webhook endpoint that wants it a delivery.
    """

    class Type(models.TextChoices):
        MESSAGE_RECEIVED = "message.received"
        MESSAGE_SENT = "message.sent"
        MESSAGE_DELIVERED = "message.delivered"
        MESSAGE_READ = "message.read"
        MESSAGE_FAILED = "message.failed"
        MESSAGE_UNKNOWN = "message.unknown"
        CONVERSATION_IDLE = "conversation.idle"
        CONVERSATION_HANDOVER = "conversation.handover"
        LEAD_CREATED = "lead.created"
        LEAD_UPDATED = "lead.updated"
        CREDITS_LOW = "credits.low"
        CREDITS_EXHAUSTED = "credits.exhausted"
        CHANNEL_ERROR = "channel.error"
        NUMBER_UNANSWERED = "number.unanswered"
        NUMBER_SILENT = "number.silent"
        PROMPT_ENDED = "prompt.ended"
        MODEL_ENDING = "model.ending"
        # Sent to one endpoint, by hand; no endpoint subscribes to it.
        ENDPOINT_TEST = "endpoint.test"

    event_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "evt"))
    sequence = models.BigIntegerField(
        db_default=Func(Value("events_sequence"), function="nextval"),
        help_text="rises; of two events of one conversation, the later one's is higher",
    )
    # No constraint: each message would lock the business's one row.
    user = models.ForeignKey(User, models.PROTECT, db_constraint=False, db_index=False, related_name="events")
    type = models.CharField(max_length=30, choices=Type.choices)
    # Not a foreign key: conversations stand above this room.
    conversation_id = models.CharField(max_length=50, blank=True, default="", db_default="")
    data = models.JSONField(default=dict, db_default=Value({}, models.JSONField()))
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "events"
        indexes = [
            # read by webhooks.redelivery: those of a span of time
            models.Index(fields=["user", "created_at"], name="events_by_user"),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.type}"


class WebhookEndpointQuerySet(models.QuerySet["WebhookEndpoint"]):
    """Filters worth naming."""

    def live(self) -> "WebhookEndpointQuerySet":
        """Leave out the deleted."""
        return self.filter(deleted_at=None)

    def of(self, user_id: str) -> "WebhookEndpointQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(user_id=tenancy.required(user_id))


class WebhookEndpoint(models.Model):
    """A URL of a business that is told what happens, signed with a secret of its own."""

    endpoint_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "whe"))
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="webhook_endpoints")
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=255, blank=True, default="", db_default="")
    types = ArrayField(
        models.CharField(max_length=30),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=30))),
        blank=True,
        help_text="the events it is told; empty = all",
    )
    secret = models.TextField(help_text="encrypted; see set_secret")
    previous_secret = models.TextField(blank=True, default="", db_default="", help_text="encrypted")
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0, db_default=0, help_text="in a row")
    failing_since = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(
        null=True, blank=True, help_text="it has failed several times in a row and is left alone until then"
    )
    slow_until = models.DateTimeField(
        null=True, blank=True, help_text="it took long to answer, so that it waits behind others until then"
    )
    disabled_at = models.DateTimeField(null=True, blank=True)
    disabled_reason = models.CharField(max_length=255, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        db_table = "webhook_endpoints"
        indexes = [
            # read for each event: who wants it
            models.Index(fields=["user"], name="webhook_endpoints_live", condition=Q(deleted_at=None)),
        ]

    def __str__(self) -> str:
        return self.endpoint_id

    def set_secret(self, secret: str) -> None:
        """Encrypt the signing secret (`whsec_…`) into its column; saving is the caller's."""
        self.secret = crypto.encrypt(secret, context=self._context)

    def secrets(self, now: datetime) -> list[str]:
        """
        Decrypt the secrets that sign now: its own, and the one before while that is still taken.

        :raises DecryptionError: if the key they were encrypted with is gone
        """
        secrets = [crypto.decrypt(self.secret, context=self._context)]
        expires_at = self.previous_secret_expires_at
        if self.previous_secret and expires_at and now < expires_at:
            secrets.append(crypto.decrypt(self.previous_secret, context=self._context))
        return secrets

    @property
    def _context(self) -> str:
        return f"webhook_endpoints:secret:{self.endpoint_id}"


class WebhookDelivery(models.Model):
    """An event on its way to an endpoint: pending → delivered | failed; posted until it is taken."""

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    # Made of its event's and its endpoint's id, so that it sorts by the event's time.
    delivery_id = models.CharField(primary_key=True, max_length=50)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, db_index=False, related_name="deliveries")
    event = models.ForeignKey(Event, models.PROTECT, related_name="deliveries")
    # Its event's: of one conversation, one is posted at a time.
    conversation_id = models.CharField(max_length=50, blank=True, default="", db_default="")
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.PENDING, db_default=State.PENDING
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0, help_text="since it was wanted")
    log = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="each attempt: at, status (none = no answer), milliseconds, error",
    )
    due_at = models.DateTimeField(db_default=Now(), help_text="the next attempt")
    wanted_at = models.DateTimeField(db_default=Now(), help_text="it is tried for three days from then")
    lease_token = models.UUIDField(null=True, blank=True, help_text="whoever posts it now")
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["endpoint", "event"], name="webhook_deliveries_once_per_endpoint"
            ),
        ]
        indexes = [
            # read by webhooks.delivery and the sweeper
            models.Index(
                fields=["endpoint", "due_at"], name="webhook_deliveries_due", condition=Q(state="pending")
            ),
            # read by lists, newest first
            models.Index(fields=["endpoint", "delivery_id"], name="webhook_deliveries_by_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.state}"
