"""What we learned: readings of conversations, and the lead in them."""

from datetime import datetime
from functools import partial

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models import User
from config.lib import ids, tenancy
from conversations.models import Conversation

SCORES = ("urgency", "budget", "fit", "engagement")
CONTACT = ("name", "email", "phone", "company")
# What a person may correct, in the order it is shown.
FIELDS = (*CONTACT, "intent", *SCORES, "demo_datetime")


def _score() -> "models.PositiveSmallIntegerField[int | None, int | None]":
    return models.PositiveSmallIntegerField(null=True, blank=True)


def _object(help_text: str) -> "models.JSONField[dict[str, object], dict[str, object]]":
    return models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), blank=True, help_text=help_text
    )


class ExtractionQuerySet(models.QuerySet["Extraction"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "ExtractionQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(
            tenancy.permitted("conversation__customer__phone_number_id"), user_id=tenancy.required(user_id)
        )

    def current(self) -> "ExtractionQuerySet":
        """Keep the leads: the newest good reading of each conversation."""
        return self.filter(is_current=True)


class Extraction(models.Model):
    """
    One reading of a conversation: waiting → running → succeeded | empty | failed.

    The newest that succeeded is the conversation's lead (`is_current`). Fields nobody spoke of are null.
    """

    class Status(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        EMPTY = "empty"
        FAILED = "failed"

    class Trigger(models.TextChoices):
        QUIET = "quiet"
        MANUAL = "manual"

    OPEN = (Status.WAITING, Status.RUNNING)

    extraction_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "ext"))
    # Its conversation's.
    user = models.ForeignKey(
        User, models.PROTECT, db_constraint=False, db_index=False, related_name="extractions"
    )
    conversation = models.ForeignKey(Conversation, models.PROTECT, db_index=False, related_name="extractions")
    status = models.CharField(
        max_length=10, choices=Status.choices, default=Status.WAITING, db_default=Status.WAITING
    )
    trigger = models.CharField(
        max_length=10, choices=Trigger.choices, default=Trigger.QUIET, db_default=Trigger.QUIET
    )
    is_current = models.BooleanField(
        default=False, db_default=False, help_text="it is the conversation's lead"
    )
    upto_sequence_no = models.PositiveIntegerField(
        default=0, db_default=0, help_text="the newest message that is read"
    )

    name = models.CharField(max_length=100, null=True, blank=True)
    email = models.EmailField(max_length=255, null=True, blank=True)
    phone = models.CharField(max_length=20, null=True, blank=True, help_text="E.164")
    company = models.CharField(max_length=255, null=True, blank=True)
    intent = models.CharField(max_length=100, null=True, blank=True)
    urgency = _score()
    budget = _score()
    fit = _score()
    engagement = _score()
    demo_datetime = models.DateTimeField(null=True, blank=True)
    demo_source_text = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="the words it was read from"
    )
    smart_notification = models.TextField(null=True, blank=True)

    evidence = _object("by field: confidence (0-1) and the ids of the messages that support it")
    corrected = _object("by field that a person set: by whom and when; no reading overwrites it")
    suggestions = _object("by corrected field: what the latest reading would have put there")
    refused = _object("by field: why what the model gave was not taken")
    changed = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), help_text="fields that differ from before"
    )
    told = models.JSONField(
        default=list, db_default=Value([], models.JSONField()), help_text="what sales were notified of so far"
    )
    notified_at = models.DateTimeField(null=True, blank=True, help_text="its notification was handed over")
    reason = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="why it failed or found nothing"
    )

    # No foreign key: empty = the shipped prompt.
    prompt_id = models.CharField(max_length=100, blank=True, default="", db_default="")
    prompt_version = models.PositiveIntegerField(default=0, db_default=0)
    model = models.CharField(max_length=100, blank=True, default="", db_default="")
    openai_response_id = models.CharField(max_length=100, blank=True, default="", db_default="")
    tokens_used = models.PositiveIntegerField(default=0, db_default=0)

    attempts = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="holders that vanished over it"
    )
    lease_token = models.UUIDField(null=True, blank=True, help_text="its holder; none = nobody")
    lease_expires_at = models.DateTimeField(db_default=Now(), help_text="from then on anybody may take it")
    created_at = models.DateTimeField(db_default=Now())
    extracted_at = models.DateTimeField(db_default=Now(), help_text="when it ended; until then when it began")

    objects = ExtractionQuerySet.as_manager()

    class Meta:
        db_table = "extractions"
        indexes = [
            models.Index(fields=["conversation", "extraction_id"], name="extractions_by_talk"),
            # read by lists, newest first: leads, and the whole history
            models.Index(
                fields=["user", "extraction_id"],
                name="extractions_leads_by_user",
                condition=Q(is_current=True),
            ),
            models.Index(fields=["user", "extraction_id"], name="extractions_by_user"),
            # read by runs.unheld
            models.Index(
                fields=["lease_expires_at"],
                name="extractions_open",
                condition=Q(status__in=["waiting", "running"]),
            ),
        ]
        constraints = [
            *(
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__range": (1, 3)}),
                    name=f"extractions_{name}_from_1_to_3",
                )
                for name in SCORES
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                name="extractions_one_open_per_conversation",
                condition=Q(status__in=["waiting", "running"]),
            ),
            models.UniqueConstraint(
                fields=["conversation"],
                name="extractions_one_lead_per_conversation",
                condition=Q(is_current=True),
            ),
            models.UniqueConstraint(
                fields=["conversation", "upto_sequence_no"],
                name="extractions_once_per_quiet_period",
                condition=Q(trigger="quiet"),
            ),
            models.CheckConstraint(
                condition=Q(is_current=False) | Q(status="succeeded"), name="extractions_leads_succeeded"
            ),
        ]

    def __str__(self) -> str:
        return self.extraction_id

    def values(self) -> dict[str, "str | int | datetime | None"]:
        """Return its values, by field."""
        return {field: getattr(self, field) for field in FIELDS}
