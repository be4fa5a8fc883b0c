"""E-mails."""

from functools import partial

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models.user import User
from config.lib import ids


class Email(models.Model):
    """An e-mail to a business, written with what it tells of: pending → sending → sent | failed | unknown."""

    class State(models.TextChoices):
        PENDING = "pending"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"
        UNKNOWN = "unknown"

    email_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "eml"))
    user = models.ForeignKey(User, models.PROTECT, db_index=False, related_name="emails")
    reference = models.CharField(max_length=200, unique=True, help_text="what it tells of, once")
    to = models.EmailField(max_length=255)
    subject = models.CharField(max_length=255)
    body = models.TextField()
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.PENDING, db_default=State.PENDING
    )
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField(db_default=Now(), help_text="when it is sent, or its sender is given up")
    error = models.CharField(max_length=255, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "emails"
        indexes = [
            # read by mail.send_due and the sweeper
            models.Index(fields=["due_at"], name="emails_due", condition=Q(state__in=["pending", "sending"])),
        ]

    def __str__(self) -> str:
        return f"{self.email_id} {self.state}"
