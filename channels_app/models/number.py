"""Phone numbers."""

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now

from billing.models import User
from config.lib import crypto, tenancy


class PhoneNumberQuerySet(models.QuerySet["PhoneNumber"]):
    """Filters worth naming."""

    def live(self) -> "PhoneNumberQuerySet":
        """Leave out the deleted."""
        return self.filter(deleted_at=None)

    def of(self, user_id: str) -> "PhoneNumberQuerySet":
        """
        Keep what belongs to a business.

        :raises TenantMissingError: if it is not said which
        """
        return self.filter(tenancy.permitted("phone_number_id"), user_id=tenancy.required(user_id))


class PhoneNumber(models.Model):
    """A WhatsApp number, Instagram account or web chat; its id is Meta's own (`web_…` for web chat)."""

    class Type(models.TextChoices):
        WHATSAPP = "whatsapp"
        INSTAGRAM = "instagram"
        WEBCHAT = "webchat"

    phone_number_id = models.CharField(primary_key=True, max_length=50)
    user = models.ForeignKey(User, models.PROTECT, related_name="phone_numbers")
    type = models.CharField(max_length=20, choices=Type.choices)
    external_number = models.CharField(max_length=100)
    access_token = models.TextField(blank=True, help_text="encrypted; see set_access_token")
    display_name = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # Empty = the channel's own base URL; Instagram has two, by the login the token was made with.
    api_base_url = models.CharField(max_length=200, blank=True, db_default="")
    # Empty = the number's id; Instagram through Facebook Login sends as the page.
    sender_id = models.CharField(max_length=50, blank=True, db_default="")
    alarmed_at = models.DateTimeField(
        null=True, blank=True, help_text="when its business was last told that the channel does not work"
    )
    alarm_code = models.CharField(
        max_length=50, blank=True, db_default="", help_text="the channel's code of the last alarm"
    )
    alarm_reason = models.CharField(
        max_length=255, blank=True, db_default="", help_text="the channel's words of the last alarm"
    )
    unanswered_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when its business was last told that customers wait and no agent answers",
    )

    silent_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when its business was last told that no messages come in although they used to",
    )

    # Of a web chat that was just made; kept nowhere in this form.
    new_secret = ""

    objects = PhoneNumberQuerySet.as_manager()

    class Meta:
        db_table = "phone_numbers"
        constraints = [
            models.CheckConstraint(
                condition=Q(type__in=["whatsapp", "instagram", "webchat"]), name="phone_numbers_known_type"
            )
        ]

    def __str__(self) -> str:
        return self.display_name or self.phone_number_id

    @property
    def _token_context(self) -> str:
        return f"phone_numbers:access_token:{self.phone_number_id}"

    def set_access_token(self, token: str) -> None:
        """Encrypt the channel's access token into its column; saving is the caller's."""
        self.access_token = crypto.encrypt(token, context=self._token_context)

    def get_access_token(self) -> str:
        """
        Decrypt the channel's access token; a web chat needs none.

        :raises DecryptionError: if the key it was encrypted with is gone
        """
        if self.type == self.Type.WEBCHAT:
            return ""
        return crypto.decrypt(self.access_token, context=self._token_context)


class NumberCheck(models.Model):
    """What Graph said of a number when it was last asked."""

    phone_number = models.OneToOneField(
        PhoneNumber, models.PROTECT, primary_key=True, related_name="graph_check"
    )
    checked_at = models.DateTimeField(db_default=Now())
    health = models.JSONField(
        default=dict,
        db_default=Value({}, models.JSONField()),
        help_text="as graph_health.GraphHealth has it",
    )

    class Meta:
        db_table = "number_checks"
        indexes = [
            # read by number_checks.check_due
            models.Index(fields=["checked_at"], name="number_checks_by_age")
        ]

    def __str__(self) -> str:
        return self.phone_number_id
