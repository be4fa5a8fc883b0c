"""Conversations."""

from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from agents.models import Agent
from billing.models import User
from channels_app.models import Customer
from config.lib import ids, tenancy


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "ConversationQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(tenancy.permitted("customer__phone_number_id"), user_id=tenancy.required(user_id))

    def with_pause(self) -> "ConversationQuerySet":
        """Annotate each row with `is_paused`: a person has taken over and the AI is silent."""
        until = Q(customer__paused_until__isnull=False, customer__paused_until__gt=Now())
        return self.annotate(is_paused=until)


class Conversation(models.Model):
    """The talk of one customer with one agent, and its copy at OpenAI."""

    conversation_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "cnv"))
    # Its agent's. No constraint of its own: each message would lock the business's one row.
    user = models.ForeignKey(
        User, models.PROTECT, db_constraint=False, db_index=False, related_name="conversations"
    )
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
    disclosed_at = models.DateTimeField(
        null=True, blank=True, help_text="when a reply with the agent's disclosure was stored"
    )
    disclosed_by = models.CharField(
        max_length=50, blank=True, db_default="", help_text="the reply; empty = none that arrived"
    )
    created_at = models.DateTimeField(db_default=Now())
    last_message_at = models.DateTimeField(db_default=Now())
    extract_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when to look whether it went quiet; none = nothing new since it was read",
    )

    objects = ConversationQuerySet.as_manager()

    class Meta:
        db_table = "conversations"
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "customer"],
                name="conversations_one_active_per_customer",
                condition=Q(is_active=True),
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "conversation_id"], name="conversations_by_agent_newest"),
            models.Index(fields=["customer"], name="conversations_by_customer"),
            models.Index(fields=["openai_conversation_id"], name="conversations_by_openai_id"),
            # read by lists, newest first. Not by last_message_at: then each message would write every index.
            models.Index(fields=["user", "conversation_id"], name="conversations_by_user"),
            models.Index(fields=["user", "customer_phone"], name="conversations_by_user_phone"),
            # read by extraction.schedule. Set once for each quiet period, so messages do not write it.
            models.Index(
                fields=["extract_at"], name="conversations_to_extract", condition=Q(extract_at__isnull=False)
            ),
            # read by lists of who asked for a person, and by the dashboard
            models.Index(
                fields=["user", "conversation_id"],
                name="conversations_asking_for_staff",
                condition=Q(handover_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.conversation_id
