"""The keys a business calls us with, and the answers that are given again."""

from datetime import datetime

from django.db import models
from django.db.models.functions import Now

from billing.models.user import User


class ApiKey(models.Model):
    """A key for the management API. Only its SHA-256 is kept: the key itself is 256 random bits."""

    prefix = models.CharField(primary_key=True, max_length=20)
    hashed_key = models.CharField(max_length=64)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="api_keys", help_text="none = operator key"
    )
    name = models.CharField(max_length=100, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_keys"
        verbose_name = "API key"

    def __str__(self) -> str:
        return self.prefix

    def works(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class IdempotencyKey(models.Model):
    """An answer that is given again when its request is repeated; kept for a day."""

    owner = models.CharField(max_length=50, help_text="the caller's user, or `operator`")
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
