"""Erasures of customers, and what Meta was answered about them."""

import secrets
from functools import partial

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models import User
from config.lib import crypto, ids, tenancy


class ErasureQuerySet(models.QuerySet["Erasure"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "ErasureQuerySet":
        """
        Keep those of a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(tenancy.permitted("phone_number_id"), user_id=tenancy.required(user_id))


class Erasure(models.Model):
    """
    The erasure of one customer and its receipt: running → done. It holds no personal data once it is done.

    While it runs `subject` holds, encrypted, the ids that are looked for.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    class Source(models.TextChoices):
        API = "api"
        ADMIN = "admin"
        COMMAND = "command"
        META = "meta"

    erasure_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "era"))
    # No constraint: the receipt stays when the business is gone.
    user = models.ForeignKey(
        User,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="erasures",
        help_text="none = the customer's number is nobody's",
    )
    customer_id = models.CharField(max_length=50, unique=True, help_text="ours; nothing else has it any more")
    phone_number_id = models.CharField(max_length=50)
    source = models.CharField(max_length=10, choices=Source.choices)
    actor = models.CharField(max_length=150, help_text="who asked for it: a key, a login, a command, Meta")
    state = models.CharField(
        max_length=10, choices=State.choices, default=State.RUNNING, db_default=State.RUNNING
    )
    subject = models.TextField(blank=True, default="", db_default="", help_text="encrypted; empty when done")
    counts = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), help_text="rows and other things, by kind"
    )
    requested_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(db_default=Now(), help_text="when it is gone on with")
    error = models.CharField(max_length=255, blank=True, default="", db_default="")

    objects = ErasureQuerySet.as_manager()

    class Meta:
        db_table = "erasures"
        indexes = [
            models.Index(fields=["user", "erasure_id"], name="erasures_by_user"),
            # read by erasure.due
            models.Index(fields=["due_at"], name="erasures_running", condition=Q(state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.erasure_id} {self.state}"

    def set_subject(self, subject: str) -> None:
        """Encrypt what is looked for into its column; saving is the caller's."""
        self.subject = crypto.encrypt(subject, context=self._context)

    def get_subject(self) -> str:
        """
        Decrypt what is looked for.

        :raises DecryptionError: if the key it was encrypted with is gone
        """
        return crypto.decrypt(self.subject, context=self._context)

    @property
    def _context(self) -> str:
        return f"erasures:subject:{self.erasure_id}"


class DeletionRequest(models.Model):
    """A request of Meta's to delete a person's data: the code of its answer, and the erasures begun."""

    code = models.CharField(primary_key=True, max_length=32, default=partial(secrets.token_hex, 16))
    erasure_ids = ArrayField(
        models.CharField(max_length=50),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=50))),
        help_text="none = nothing was stored of the person",
    )
    requested_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "deletion_requests"

    def __str__(self) -> str:
        return self.code[:8]
