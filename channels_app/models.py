"""How words get in and out: numbers, customers, the inbox and what else a channel tells."""

from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models import User
from config.lib import crypto, ids, tenancy


class PhoneNumberQuerySet(models.QuerySet["PhoneNumber"]):
    """Filters worth naming."""

    def live(self) -> "PhoneNumberQuerySet":
        """Leave out the deleted."""
        return self.filter(deleted_at=None)

    def of(self, user_id: str) -> "PhoneNumberQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(user_id=tenancy.required(user_id))


class PhoneNumber(models.Model):
    """A WhatsApp number, Instagram account or web chat; its id is Meta's own (`web_…` for web chat)."""

    class Type(models.TextChoices):
        WHATSAPP = "whatsapp"
        INSTAGRAM = "instagram"
        WEBCHAT = "webchat"

    phone_number_id = models.CharField(primary_key=True, max_length=50)
    user = models.ForeignKey(User, models.PROTECT, related_name="phone_numbers")
    type = models.CharField(max_length=20, choices=Type.choices)
    external_number = models.CharField(max_length=100)
    access_token = models.TextField(blank=True, help_text="encrypted; see set_access_token")
    display_name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Empty = the channel's own base URL; Instagram has two, by the login the token was made with.
    api_base_url = models.CharField(max_length=200, blank=True, db_default="")
    # Empty = the number's id; Instagram through Facebook Login sends as the page.
    sender_id = models.CharField(max_length=50, blank=True, db_default="")
    alarmed_at = models.DateTimeField(
        null=True, blank=True, help_text="when its business was last told that the channel does not work"
    )

    objects = PhoneNumberQuerySet.as_manager()

    class Meta:
        db_table = "phone_numbers"
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=["whatsapp", "instagram", "webchat"]), name="phone_numbers_known_type"
            )
        ]

    def __str__(self) -> str:
        return self.display_name or self.phone_number_id

    @property
    def _token_context(self) -> str:
        return f"phone_numbers:access_token:{self.phone_number_id}"

    def set_access_token(self, token: str) -> None:
        """Encrypt the channel's access token into its column; saving is the caller's."""
        self.access_token = crypto.encrypt(token, context=self._token_context)

    def get_access_token(self) -> str:
        """
        Decrypt the channel's access token.

        :raises DecryptionError: if the key it was encrypted with is gone
        """
        return crypto.decrypt(self.access_token, context=self._token_context)


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
            # read by the dashboard: whom a person answers
            models.Index(
                fields=["paused_until"], name="customers_paused", condition=Q(paused_until__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return self.name or self.customer_id

    @property
    def address(self) -> str:
        """The phone number if there is one, else the id they are known by (`customer_phone` elsewhere)."""
        return self.wa_id or self.bsuid or self.ig_id or self.visitor_id or ""


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
            # read by claims.claim: the oldest waiting message of a number
            models.Index(
                fields=["phone_number", "id"], name="inbound_waiting_by_number", condition=Q(status="pending")
            ),
            # read by claims.claim and inbox.store: what one customer still waits with
            models.Index(
                fields=["customer", "id"], name="inbound_waiting_by_customer", condition=Q(status="pending")
            ),
            # read by retrying.retry (when a customer last wrote) and identity.move
            models.Index(fields=["customer", "sent_at"], name="inbound_by_customer"),
            models.Index(fields=["turn_id"], name="inbound_by_turn", condition=Q(turn_id__isnull=False)),
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
            # read by channels_app.purge
            models.Index(
                fields=["received_at"], name="channel_events_applied", condition=Q(applied_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.kind}"


class DeadLetter(models.Model):
    """A signed body of which something, or all, could not be read. Kept until it can be."""

    id = models.BigAutoField(primary_key=True)
    phone_number_id = models.CharField(max_length=50, blank=True)
    reason = models.CharField(max_length=255)
    raw = models.BinaryField(help_text="the whole body as it came")
    received_at = models.DateTimeField(db_default=Now())
    replayed_at = models.DateTimeField(null=True, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of raw: each once")

    class Meta:
        db_table = "dead_letters"

    def __str__(self) -> str:
        return f"{self.id} {self.reason}"
