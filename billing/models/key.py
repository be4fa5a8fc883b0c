"""The keys a business calls us with, and the answers that are given again."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from billing.models.user import User


class ApiKey(models.Model):
    """
    A key for the management API. Only its SHA-256 is kept: the key itself is 256 random bits.

    `parent` is the key that made this one, by creating it or by rotating another; keys that staff or a
    command made have none. `replaces` is the key that was rotated.
    """

    class Scope(models.TextChoices):
        """Each includes those before it."""

        READ = "read"
        WRITE = "write"
        FULL = "full"

    prefix = models.CharField(primary_key=True, max_length=20)
    hashed_key = models.CharField(max_length=64)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="api_keys", help_text="none = operator key"
    )
    name = models.CharField(max_length=100, blank=True)
    scope = models.CharField(
        max_length=10,
        choices=Scope.choices,
        default=Scope.FULL,
        db_default=Scope.FULL,
        help_text="full = read, write and the management of keys",
    )
    phone_number_ids = ArrayField(
        models.CharField(max_length=50),
        null=True,
        blank=True,
        help_text="the only numbers it may see; none = all, and what belongs to the whole business",
    )
    created_by = models.CharField(
        max_length=100, blank=True, default="", db_default="", help_text="the key, staff member or command"
    )
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="children",
        help_text="the key that made it",
    )
    replaces = models.OneToOneField(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replaced_by",
        help_text="the key that was rotated",
    )
    revoked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"
        constraints = [
            models.CheckConstraint(
                condition=Q(scope__in=["read", "write", "full"]), name="api_keys_known_scope"
            ),
            # An empty list must not be mistaken for "all", and only a business has numbers.
            models.CheckConstraint(
                condition=Q(phone_number_ids__isnull=True)
                | (Q(user__isnull=False) & Q(phone_number_ids__len__gt=0)),
                name="api_keys_restricted_to_some_number",
            ),
        ]

    def __str__(self) -> str:
        return self.prefix

    def works(self, now: datetime) -> bool:
        """Return whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotencyKey(models.Model):
    """An answer that is given again when its request is repeated; kept for a day."""

    owner = models.CharField(max_length=150, help_text="whose keys these are: see `Caller.owner`")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what was asked")
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(fields=["owner", "key"], name="idempotency_keys_once_per_owner")
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotency_keys_by_age")]

    def __str__(self) -> str:
        return self.key
