"""Heartbeats of processes, leader leases, and sessions and authenticators of staff."""

import base64

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.module_loading import import_string
from django_otp.plugins.otp_totp.models import TOTPDevice

from config.lib import crypto


class Heartbeat(models.Model):
    """A process is alive, and reads these queues; read by /health/ready."""

    instance = models.CharField(primary_key=True, max_length=100)
    role = models.CharField(max_length=20)
    queues = ArrayField(models.CharField(max_length=100), null=True)
    beat_at = models.DateTimeField()
    metrics_address = models.CharField(
        max_length=255, blank=True, db_default="", help_text="host and port where its metrics are read"
    )

    class Meta:
        db_table = "heartbeats"


class LeaderLease(models.Model):
    """One process at a time leads; a row and not a session lock, which breaks behind a transaction pooler."""

    name = models.CharField(primary_key=True, max_length=50)
    holder = models.CharField(max_length=100)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "leader_leases"


class StaffSession(AbstractBaseSession):
    """A session of the admin: whose it is, and what its owner recognizes it by."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="staff_sessions"
    )
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    address = models.CharField(max_length=100, blank=True)
    user_agent = models.CharField(max_length=255, blank=True)

    class Meta(AbstractBaseSession.Meta):
        db_table = "staff_sessions"

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        """Return the store that keeps these rows."""
        store: type[SessionBase] = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
        return store


class Authenticator(TOTPDevice):  # type: ignore[misc]  # it has no types
    """
    The authenticator app of a staff member.

    Its secret is encrypted; the column `key` of django-otp, which is not, stays empty.
    """

    secret = models.TextField()

    class Meta:
        db_table = "staff_authenticators"

    @property
    def bin_key(self) -> bytes:
        """
        Return the shared secret.

        :raises DecryptionError: if FIELD_ENCRYPTION_KEY does not hold the key it was encrypted with
        """
        return base64.b32decode(crypto.decrypt(self.secret, context=secret_context(self.user_id)))


def secret_context(user_id: int) -> str:
    """Return what the secret of a user's authenticator is bound to."""
    return f"staff_authenticators:secret:{user_id}"
