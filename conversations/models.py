"""What was said: conversations, their messages, the turns that answer and the deliveries that send."""

from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from agents.models import Agent
from channels_app.models import Customer, InboundMessage, PhoneNumber
from config.lib import ids


class Conversation(models.Model):
    """The talk of one customer with one agent, and its copy at OpenAI."""

    conversation_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "cnv"))
    agent = models.ForeignKey(Agent, models.PROTECT, db_index=False, related_name="conversations")
    customer = models.ForeignKey(Customer, models.PROTECT, db_index=False, related_name="conversations")
    customer_phone = models.CharField(max_length=150, help_text="the phone, or the id they are known by")
    openai_conversation_id = models.CharField(max_length=100, null=True, blank=True)
    openai_last_item_id = models.CharField(
        max_length=100, blank=True, db_default="", help_text="the newest output in OpenAI's copy that we know"
    )
    openai_owed = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="items the copy must get first: outputs of tools the model called",
    )
    openai_surplus = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="ids of items to be taken out of the copy: they were never said",
    )
    last_sequence_no = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    handover_at = models.DateTimeField(
        null=True, blank=True, help_text="the model asked for a person, and none has taken over yet"
    )
    handover_reason = models.CharField(max_length=500, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())
    last_message_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "conversations"
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "customer_phone"],
                name="conversations_one_active_per_address",
                condition=Q(is_active=True),
            ),
            models.UniqueConstraint(
                fields=["agent", "customer"],
                name="conversations_one_active_per_customer",
                condition=Q(is_active=True),
            ),
        ]
        indexes = [
            models.Index(fields=["agent"], name="conversations_by_agent"),
            models.Index(fields=["customer"], name="conversations_by_customer"),
            models.Index(fields=["openai_conversation_id"], name="conversations_by_openai_id"),
        ]

    def __str__(self) -> str:
        return self.conversation_id


class Turn(models.Model):
    """The waiting messages of one customer, answered by one reply: claimed → answered → done | failed."""

    class State(models.TextChoices):
        CLAIMED = "claimed"
        ANSWERED = "answered"
        DONE = "done"
        FAILED = "failed"

    OPEN = (State.CLAIMED, State.ANSWERED)

    turn_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "trn"))
    phone_number = models.ForeignKey(PhoneNumber, models.PROTECT, db_index=False, related_name="turns")
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
                condition=Q(state__in=["claimed", "answered"]),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["claimed", "answered"]) | Q(closed_at__isnull=False),
                name="turns_closed_when_ended",
            ),
        ]
        indexes = [
            # read by claims.claim (turns to resume, and how many are open), the sweeper and leases
            models.Index(
                fields=["phone_number", "lease_expires_at"],
                name="turns_open_by_number",
                condition=Q(state__in=["claimed", "answered"]),
            ),
            # read by claims.claim: how many replies a customer had lately
            models.Index(fields=["customer", "created_at"], name="turns_by_customer"),
            models.Index(fields=["conversation"], name="turns_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.turn_id} {self.state}"


class Message(models.Model):
    """Something that was said, by the customer, the AI or a member of staff."""

    class Sender(models.TextChoices):
        USER = "user"
        AGENT = "agent"

    class Author(models.TextChoices):
        CUSTOMER = "customer"
        AI = "ai"
        STAFF = "staff"

    class Status(models.TextChoices):
        PENDING = "pending"
        SENT = "sent"
        DELIVERED = "delivered"
        READ = "read"
        FAILED = "failed"

    message_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "msg"))
    conversation = models.ForeignKey(Conversation, models.PROTECT, db_index=False, related_name="messages")
    turn = models.ForeignKey(
        Turn, models.PROTECT, null=True, blank=True, db_index=False, related_name="messages"
    )
    inbound = models.OneToOneField(
        InboundMessage, models.PROTECT, null=True, blank=True, related_name="message"
    )
    sender = models.CharField(max_length=20, choices=Sender.choices)
    author = models.CharField(max_length=20, choices=Author.choices)
    text = models.TextField()
    kind = models.CharField(max_length=30, default="text", db_default="text")
    media = models.JSONField(
        default=list,
        db_default=Value([], models.JSONField()),
        help_text="references, with name and transcript once fetched",
    )
    context = models.TextField(blank=True, db_default="", help_text="what the model was told beside the text")
    quoted_id = models.TextField(
        blank=True, db_default="", help_text="the channel's id of the message it answers"
    )
    provider_message_id = models.TextField(
        blank=True, db_default="", help_text="the channel's id of a customer's message"
    )
    reaction = models.CharField(max_length=50, blank=True, db_default="")
    reaction_known = models.BooleanField(
        default=True, db_default=True, help_text="the model was told of the reaction"
    )
    reacted_at = models.DateTimeField(null=True, blank=True)
    edited_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="taken back by the customer")
    timestamp = models.DateTimeField(help_text="when it was said, by the provider's clock for a customer's")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.PENDING)
    sequence_no = models.PositiveIntegerField()
    failure_reason = models.TextField(blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    tokens_used = models.PositiveIntegerField(default=0)
    openai_response_id = models.CharField(max_length=100, blank=True)
    openai_knows = models.BooleanField(
        default=True, db_default=True, help_text="it stands in OpenAI's copy as well"
    )
    openai_item_ids = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), help_text="the items it is there"
    )

    class Meta:
        db_table = "messages"
        constraints = [
            models.UniqueConstraint(
                fields=["conversation", "sequence_no"], name="messages_sequence_once_per_conversation"
            ),
            models.CheckConstraint(
                condition=Q(sender="user", author="customer") | Q(sender="agent", author__in=["ai", "staff"]),
                name="messages_author_fits_sender",
            ),
            models.CheckConstraint(
                condition=~Q(status="failed") | Q(failed_at__isnull=False), name="messages_failed_when_known"
            ),
            models.UniqueConstraint(
                fields=["turn"],
                name="messages_one_ai_reply_per_turn",
                condition=Q(author="ai", turn__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["turn"], name="messages_by_turn", condition=Q(turn__isnull=False)),
            # read by events.apply: the message a reaction, an edit or a quote speaks of
            models.Index(
                fields=["provider_message_id"],
                name="messages_by_provider_id",
                condition=~Q(provider_message_id=""),
            ),
            # read by transcript.read: what OpenAI's copy lacks
            models.Index(
                fields=["conversation", "sequence_no"],
                name="messages_lacking_at_openai",
                condition=Q(openai_knows=False) | Q(reaction_known=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.status}"


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
    phone_number = models.ForeignKey(PhoneNumber, models.PROTECT, db_index=False, related_name="deliveries")
    attempt = models.PositiveSmallIntegerField(default=1)
    part = models.PositiveSmallIntegerField(default=1)
    text = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    provider_message_id = models.TextField(null=True, blank=True)
    error = models.TextField(blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    sending_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "deliveries"
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
            # read by the sweeper: sends whose holder died
            models.Index(
                fields=["lease_expires_at"], name="deliveries_sending", condition=Q(state="sending")
            ),
            # read by the sweeper: what a person had sent again and nobody has sent yet
            models.Index(fields=["created_at"], name="deliveries_pending", condition=Q(state="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.state}"
