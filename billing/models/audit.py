"""The audit log: who changed what."""

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models.user import User
from config.lib import tenancy
from config.lib.actors import ActorKind


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Filters worth naming."""

    def of(self, user_id: str) -> "AuditEntryQuerySet":
        """
        Keep the entries of a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(user_id=tenancy.required(user_id))


class AuditEntry(models.Model):
    """A change of the configuration, and its actor; a trigger refuses to change or delete it."""

    # No constraint: an entry must not lock the business's row, and stays when the business is gone.
    user = models.ForeignKey(
        User,
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="audit_entries",
        help_text="the business; none = operators' own",
    )
    actor_kind = models.CharField(max_length=10, choices=[(kind.value, kind.value) for kind in ActorKind])
    actor_id = models.CharField(
        max_length=150, blank=True, db_default="", help_text="a key's prefix, a login, a command's name"
    )
    actor_name = models.CharField(max_length=150, blank=True, db_default="")
    address = models.CharField(max_length=100, blank=True, db_default="", help_text="the client's IP address")
    action = models.CharField(max_length=50)
    object_kind = models.CharField(max_length=30)
    object_id = models.CharField(max_length=100)
    changes = models.JSONField(
        db_default=Value({}, models.JSONField()),
        help_text="by field: before and after, or nothing where the value is secret or private",
    )
    correlation_id = models.CharField(max_length=64, blank=True, db_default="")
    created_at = models.DateTimeField(db_default=Now())

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        db_table = "audit_log"
        verbose_name_plural = "audit entries"
        indexes = [
            # read by lists of a business, newest first
            models.Index(fields=["user", "-id"], name="audit_log_by_user"),
            # read by the admin's link from an object
            models.Index(fields=["object_id", "-id"], name="audit_log_by_object"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["key", "staff", "command", "system"]),
                name="audit_log_known_actor_kind",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"
