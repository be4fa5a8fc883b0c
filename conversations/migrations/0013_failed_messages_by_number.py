"""An index that finds the last failed message of a number; it holds failed messages only."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0012_disclosure")]
    operations = [
        AddIndexConcurrently(
            model_name="message",
            index=models.Index(
                condition=models.Q(("failed_at__isnull", False)),
                fields=["phone_number", "timestamp", "message_id"],
                name="messages_failed_by_number",
            ),
        ),
    ]
