"""Web chats."""

import hashlib

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from channels_app.models.number import PhoneNumber
from config.lib import crypto

MOST_ORIGINS = 50
DAILY_LIMIT = 5000


class WebChat(models.Model):
    """How a number of type webchat looks, on which pages it may stand, and its secret."""

    class Position(models.TextChoices):
        LEFT = "left"
        RIGHT = "right"

    class Theme(models.TextChoices):
        AUTO = "auto"
        LIGHT = "light"
        DARK = "dark"

    phone_number = models.OneToOneField(
        PhoneNumber, models.PROTECT, primary_key=True, related_name="web_chat"
    )
    secret = models.TextField(blank=True, help_text="encrypted; see set_secret")
    allowed_origins = ArrayField(
        models.CharField(max_length=255),
        default=list,
        help_text="pages it may stand on, as browsers name them; none = nowhere",
    )
    title = models.CharField(max_length=60, blank=True, db_default="")
    subtitle = models.CharField(max_length=100, blank=True, db_default="")
    welcome_text = models.CharField(max_length=500, blank=True, db_default="")
    placeholder = models.CharField(max_length=60, blank=True, db_default="")
    launcher_label = models.CharField(max_length=40, blank=True, db_default="")
    color = models.CharField(max_length=7, default="#1f6feb", db_default="#1f6feb")
    position = models.CharField(
        max_length=5, choices=Position.choices, default=Position.RIGHT, db_default=Position.RIGHT.value
    )
    theme = models.CharField(
        max_length=5, choices=Theme.choices, default=Theme.AUTO, db_default=Theme.AUTO.value
    )
    texts = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        help_text="the widget's own words by their keys, where others are wanted",
    )
    daily_limit = models.PositiveIntegerField(
        default=DAILY_LIMIT, db_default=DAILY_LIMIT, help_text="messages of all visitors a day"
    )

    identity_hashes_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="until then bare hashes of user ids are accepted as identities; none = only signed tokens",
    )

    class Meta:
        db_table = "web_chats"
        constraints = [
            models.CheckConstraint(condition=Q(color__regex=r"^#[0-9a-f]{6}$"), name="web_chats_color"),
            models.CheckConstraint(condition=Q(position__in=["left", "right"]), name="web_chats_position"),
            models.CheckConstraint(condition=Q(theme__in=["auto", "light", "dark"]), name="web_chats_theme"),
            models.CheckConstraint(
                condition=Q(allowed_origins__len__lte=MOST_ORIGINS), name="web_chats_not_too_many_origins"
            ),
        ]

    def __str__(self) -> str:
        return self.title or self.phone_number_id

    @property
    def _context(self) -> str:
        return f"web_chats:secret:{self.phone_number_id}"

    def set_secret(self, secret: str) -> None:
        """Encrypt the secret into its column; saving is the caller's."""
        self.secret = crypto.encrypt(secret, context=self._context)

    def get_secret(self) -> str:
        """
        Decrypt the secret; empty when it was wiped.

        :raises DecryptionError: if the key it was encrypted with is gone
        """
        return crypto.decrypt(self.secret, context=self._context) if self.secret else ""

    @property
    def secret_mark(self) -> str:
        """What tells this secret from any other the number had, without telling it."""
        return hashlib.sha256(self.secret.encode()).hexdigest()[:16]

    @property
    def access_mark(self) -> str:
        """What changes when others may use it: its secret, or the pages it may stand on."""
        text = f"{self.secret} {' '.join(self.allowed_origins)}"
        return hashlib.sha256(text.encode()).hexdigest()


class UnsentPicture(models.Model):
    """A picture in the storage that no message holds yet, and perhaps never will."""

    name = models.CharField(primary_key=True, max_length=150, help_text="where it lies")
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "unsent_pictures"
        indexes = [
            # read by files.purge
            models.Index(fields=["received_at"], name="unsent_pictures_by_age")
        ]

    def __str__(self) -> str:
        return self.name
