"""What we learned: the lead in a conversation."""

from functools import partial

from django.db import models
from django.db.models import Q

from config.lib import ids
from conversations.models import Conversation


def _score() -> "models.PositiveSmallIntegerField[int | None, int | None]":
    return models.PositiveSmallIntegerField(null=True, blank=True)


class Extraction(models.Model):
    """What one reading of a conversation found; fields nobody spoke of are null."""

    extraction_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "ext"))
    conversation = models.ForeignKey(Conversation, models.PROTECT, related_name="extractions")
    name = models.CharField(max_length=100, null=True, blank=True)
    email = models.EmailField(max_length=255, null=True, blank=True)
    company = models.CharField(max_length=255, null=True, blank=True)
    intent = models.CharField(max_length=100, null=True, blank=True)
    urgency = _score()
    budget = _score()
    fit = _score()
    engagement = _score()
    demo_datetime = models.DateTimeField(null=True, blank=True)
    smart_notification = models.TextField(null=True, blank=True)
    extracted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "extractions"
        indexes = [models.Index(fields=["conversation", "-extracted_at"], name="extractions_by_conversation")]
        constraints = [
            models.CheckConstraint(
                condition=Q(**{f"{name}__isnull": True}) | Q(**{f"{name}__range": (1, 3)}),
                name=f"extractions_{name}_from_1_to_3",
            )
            for name in ("urgency", "budget", "fit", "engagement")
        ]

    def __str__(self) -> str:
        return self.extraction_id
