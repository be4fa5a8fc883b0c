"""Messages."""

from functools import partial

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Upper

from billing.models import User
from channels_app.models import InboundMessage, PhoneNumber
from config.lib import ids, tenancy
from conversations.models.conversation import Conversation
from conversations.models.turn import Turn


class MessageQuerySet(models.QuerySet["Message"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "MessageQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(tenancy.permitted("phone_number_id"), user_id=tenancy.required(user_id))

    def failed(self) -> "MessageQuerySet":
        """Keep what could not be answered or did not arrive, and may be retried."""
        return self.filter(status=Message.Status.FAILED, failed_at__isnull=False)

    def saying(self, words: str) -> "MessageQuerySet":
        """Keep what has these words in it, in upper or lower case; fewer than three letters are slow."""
        return self.filter(text__icontains=words)


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
        UNKNOWN = "unknown"

    # Sent without being asked for, so nothing is charged for them.
    FREE_KINDS = ("fallback", "unavailable")

    message_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "msg"))
    # Its conversation's. No constraint of its own: each message would lock the business's one row.
    user = models.ForeignKey(
        User, models.PROTECT, db_constraint=False, db_index=False, related_name="messages"
    )
    conversation = models.ForeignKey(Conversation, models.PROTECT, db_index=False, related_name="messages")
    # Its conversation's customer's, which never changes. Without a constraint for the same reason.
    phone_number = models.ForeignKey(
        PhoneNumber, models.PROTECT, db_constraint=False, db_index=False, related_name="messages"
    )
    turn = models.ForeignKey(
        Turn, models.PROTECT, null=True, blank=True, db_index=False, related_name="messages"
    )
    inbound = models.OneToOneField(
        InboundMessage, models.PROTECT, null=True, blank=True, related_name="message"
    )
    sender = models.CharField(max_length=20, choices=Sender.choices)
    author = models.CharField(max_length=20, choices=Author.choices)
    actor = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="who of the staff said it, if known"
    )
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
    unknown_at = models.DateTimeField(
        null=True, blank=True, help_text="since when nobody knows whether it arrived"
    )
    unknown_reported_at = models.DateTimeField(
        null=True, blank=True, help_text="when `message.unknown` was raised for it"
    )
    tokens_used = models.PositiveIntegerField(default=0)
    openai_response_id = models.CharField(max_length=100, blank=True)
    openai_knows = models.BooleanField(
        default=True, db_default=True, help_text="it stands in OpenAI's copy as well"
    )
    openai_item_ids = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), help_text="the items it is there"
    )

    objects = MessageQuerySet.as_manager()

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
            # Lists of what failed go by failed_at alone.
            models.CheckConstraint(
                condition=Q(status="failed", failed_at__isnull=False)
                | (~Q(status="failed") & Q(failed_at__isnull=True)),
                name="messages_failed_at_if_failed",
            ),
            # Lists of unknown outcomes go by unknown_at alone.
            models.CheckConstraint(
                condition=Q(status="unknown", unknown_at__isnull=False)
                | (~Q(status="unknown") & Q(unknown_at__isnull=True)),
                name="messages_unknown_at_if_unknown",
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
            # read by lists, newest first, and by usage.daily
            models.Index(fields=["user", "timestamp", "message_id"], name="messages_by_user"),
            # read by lists of one number
            models.Index(fields=["phone_number", "timestamp", "message_id"], name="messages_by_number"),
            # read by lists of what failed. A status in the condition would have each change of one write
            # every index; failed_at changes only where something fails.
            models.Index(
                fields=["user", "timestamp", "message_id"],
                name="messages_failed_by_user",
                condition=Q(failed_at__isnull=False),
            ),
            # read by agents.number_states (the last failure of a number) and by lists
            models.Index(
                fields=["phone_number", "timestamp", "message_id"],
                name="messages_failed_by_number",
                condition=Q(failed_at__isnull=False),
            ),
            # read by the dashboard: what failed lately
            models.Index(
                fields=["failed_at"], name="messages_failed_lately", condition=Q(failed_at__isnull=False)
            ),
            # read by lists of messages whose outcome is unknown, and by the dashboard
            models.Index(
                fields=["user", "timestamp", "message_id"],
                name="messages_unknown_by_user",
                condition=Q(unknown_at__isnull=False),
            ),
            # read by unknown.report_overdue
            models.Index(
                fields=["unknown_at"],
                name="messages_unknown_unreported",
                condition=Q(unknown_at__isnull=False, unknown_reported_at__isnull=True),
            ),
            # read by MessageQuerySet.saying; costs a message 0.1 ms, and more with a pending list below 4 MB
            GinIndex(OpClass(Upper("text"), name="gin_trgm_ops"), name="messages_by_words"),
        ]

    def __str__(self) -> str:
        return f"{self.message_id} {self.status}"
