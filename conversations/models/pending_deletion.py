"""Deletions elsewhere."""

from django.db import models
from django.db.models.functions import Now


class PendingDeletion(models.Model):
    """Something still to be deleted at OpenAI or in the storage: of an erased customer, or given up."""

    class Kind(models.TextChoices):
        OPENAI_CONVERSATION = "openai_conversation"
        OPENAI_RESPONSE = "openai_response"
        FILE = "file"

    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    target = models.CharField(max_length=255, help_text="OpenAI's id, or the file's name")
    # Not a foreign key: erasures stand above this room.
    erasure_id = models.CharField(max_length=50, blank=True, default="", db_default="")
    due_at = models.DateTimeField(db_default=Now(), help_text="the next attempt")
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    error = models.CharField(max_length=100, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "pending_deletions"
        constraints = [models.UniqueConstraint(fields=["kind", "target"], name="pending_deletions_each_once")]
        indexes = [
            # read by pending_deletions.run and the sweeper
            models.Index(fields=["due_at"], name="pending_deletions_due"),
            # read by whoever asks whether an erasure is finished
            models.Index(
                fields=["erasure_id"], name="pending_deletions_of_erasure", condition=~models.Q(erasure_id="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.attempts}"
