"""Who answers: agents, the prompts they speak with, and the record of who answered before."""

from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models import User
from channels_app.models import PhoneNumber
from config.lib import ids, tenancy


class PromptQuerySet(models.QuerySet["Prompt"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "PromptQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(user_id=tenancy.required(user_id))


class Prompt(models.Model):
    """A named prompt; what it says stands in its immutable versions, and `current_version` points at one."""

    class Purpose(models.TextChoices):
        REPLY = "reply"
        EXTRACTION = "extraction"

    prompt_id = models.CharField(primary_key=True, max_length=100, default=partial(ids.new, "prm"))
    purpose = models.CharField(
        max_length=10, choices=Purpose.choices, default=Purpose.REPLY, db_default=Purpose.REPLY
    )
    user = models.ForeignKey(User, models.PROTECT, related_name="prompts")
    name = models.CharField(max_length=255)
    current_version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromptQuerySet.as_manager()

    class Meta:
        db_table = "prompts"
        constraints = [
            models.UniqueConstraint(
                fields=["user"], name="prompts_one_for_extraction", condition=Q(purpose="extraction")
            )
        ]

    def __str__(self) -> str:
        return self.name


class PromptVersion(models.Model):
    """What a prompt said at one time; a trigger refuses to change it."""

    prompt = models.ForeignKey(Prompt, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    instructions = models.TextField()
    model = models.CharField(max_length=100, blank=True, help_text="empty = OPENAI_MODEL")
    parameters = models.JSONField(default=dict, blank=True, help_text="more arguments of responses.create")
    variables = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        blank=True,
        help_text="its own variables: {name: {type, default, description}}",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "prompt_versions"
        constraints = [
            models.UniqueConstraint(
                fields=["prompt", "number"], name="prompt_versions_number_once_per_prompt"
            )
        ]

    def __str__(self) -> str:
        return f"{self.prompt_id} v{self.number}"


# EU AI Act, Art. 50(1): disclose the AI to people at the latest at the first contact.
DEFAULT_DISCLOSURE = "You are chatting with an AI assistant."
# With four bytes a character it fits into the first part of a reply on every channel.
LONGEST_DISCLOSURE = 200


class AgentQuerySet(models.QuerySet["Agent"]):
    """Filters worth naming."""

    def live(self) -> "AgentQuerySet":
        """Leave out the deleted."""
        return self.filter(deleted_at=None)

    def of(self, user_id: str) -> "AgentQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(tenancy.permitted("phone_number_id"), user_id=tenancy.required(user_id))


class Agent(models.Model):
    """
    An AI agent that answers on one phone number, or on none since another took its place there.

    Deleting hides it: what it said stays.
    """

    agent_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "agt"))
    user = models.ForeignKey(User, models.PROTECT, related_name="agents")
    phone_number = models.ForeignKey(
        PhoneNumber, models.PROTECT, null=True, blank=True, related_name="agents"
    )
    # Not a foreign key: it may be an id of OpenAI's dashboard (`pmpt_…`), as long as OpenAI takes those.
    prompt_id = models.CharField(max_length=100)
    prompt_version = models.PositiveIntegerField(null=True, blank=True, help_text="none = current")
    name = models.CharField(max_length=255)
    fallback_message = models.TextField(blank=True, help_text="sent when no answer could be made")
    unavailable_message = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="sent when the credits are out; empty = nothing is sent",
    )
    handover_enabled = models.BooleanField(
        default=False, db_default=False, help_text="the model may hand a talk over to a person"
    )
    handover_message = models.TextField(
        blank=True, default="", db_default="", help_text="sent when it does; empty = a general text"
    )
    disclosure = models.CharField(
        max_length=LONGEST_DISCLOSURE,
        blank=True,
        default=DEFAULT_DISCLOSURE,
        db_default=DEFAULT_DISCLOSURE,
        help_text="put before the first AI reply of a conversation; empty = nothing",
    )
    extraction_interval = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="milliseconds of quiet before a talk is read for its lead; none = EXTRACTION_INTERVAL",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        db_table = "agents"
        constraints = [
            models.UniqueConstraint(
                fields=["phone_number"], name="agents_one_live_per_number", condition=Q(deleted_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.name


class ConversationArchiveQuerySet(models.QuerySet["ConversationArchive"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "ConversationArchiveQuerySet":
        """
        Keep what happened on a business's numbers.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(
            tenancy.permitted("phone_number_id"), phone_number__user_id=tenancy.required(user_id)
        )


class ConversationArchive(models.Model):
    """
    An agent left a number: its talks there end.

    One row per number; `old_agent` is none where nobody answered before, `new_agent` where nobody does after.
    """

    archive_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "arc"))
    old_agent = models.ForeignKey(Agent, models.PROTECT, null=True, related_name="+")
    new_agent = models.ForeignKey(Agent, models.PROTECT, null=True, related_name="+")
    phone_number = models.ForeignKey(PhoneNumber, models.PROTECT, related_name="archives")
    archived_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True, blank=True, help_text="when its talks were closed")

    objects = ConversationArchiveQuerySet.as_manager()

    class Meta:
        db_table = "conversation_archives"
        indexes = [
            # read by archiving.unfinished_archives
            models.Index(
                fields=["archived_at"], name="conversation_archives_open", condition=Q(closed_at=None)
            )
        ]

    def __str__(self) -> str:
        return self.archive_id


class Notice(models.Model):
    """An event that a business gets once: its type, and the subject it was raised about."""

    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="+")
    type = models.CharField(max_length=30, help_text="the event's")
    subject = models.CharField(max_length=255, help_text="the agent and prompt, or the model and threshold")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "agent_notices"
        constraints = [models.UniqueConstraint(fields=["user", "type", "subject"], name="agent_notices_once")]

    def __str__(self) -> str:
        return f"{self.type} {self.subject}"


class ModelShutdown(models.Model):
    """A model of OpenAI's and the day it is shut down, as `GET /v1/models` reported it last."""

    model = models.CharField(primary_key=True, max_length=255)
    shutdown_on = models.DateField(null=True, blank=True, help_text="none = not announced")
    checked_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "model_shutdowns"

    def __str__(self) -> str:
        return self.model
