"""
Messages whose outcome is unknown have a status of their own.

Columns without a default, indexes and a validated constraint that lock the table for moments only.
"""

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models
from django.db.models import Q

STATUSES = ["pending", "sent", "delivered", "read", "failed", "unknown"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0009_when_to_extract"), ("billing", "0013_message_unknown_event")]
    operations = [
        migrations.AlterField(
            model_name="message",
            name="status",
            field=models.CharField(
                choices=[(status, status.capitalize()) for status in STATUSES],
                default="pending",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="unknown_at",
            field=models.DateTimeField(
                blank=True, help_text="since when nobody knows whether it arrived", null=True
            ),
        ),
        migrations.AddField(
            model_name="message",
            name="unknown_reported_at",
            field=models.DateTimeField(
                blank=True, help_text="when `message.unknown` was raised for it", null=True
            ),
        ),
        AddConstraintNotValid(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=Q(status="unknown", unknown_at__isnull=False)
                | (~Q(status="unknown") & Q(unknown_at__isnull=True)),
                name="messages_unknown_at_if_unknown",
            ),
        ),
        ValidateConstraint(model_name="message", name="messages_unknown_at_if_unknown"),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                fields=["user", "timestamp", "message_id"],
                name="messages_unknown_by_user",
                condition=Q(unknown_at__isnull=False),
            ),
        ),
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                fields=["unknown_at"],
                name="messages_unknown_unreported",
                condition=Q(unknown_at__isnull=False, unknown_reported_at__isnull=True),
            ),
        ),
    ]
