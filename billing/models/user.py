"""The business."""

from functools import partial

from django.db import models

from config.lib import ids


class User(models.Model):
    """A business that uses the service (the tenant); people who sign in to the admin are Django's users."""

    user_id = models.CharField(primary_key=True, max_length=50, default=partial(ids.new, "usr"))
    email = models.EmailField(max_length=255, unique=True)
    company_name = models.CharField(max_length=255, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    notify_email = models.EmailField(
        max_length=255, blank=True, default="", db_default="", help_text="told of leads; empty = nobody is"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "users"

    def __str__(self) -> str:
        return self.company_name or self.user_id
