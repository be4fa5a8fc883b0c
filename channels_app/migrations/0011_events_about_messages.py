"""An index that finds the edits and the revoke of a message; they are few."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("channels_app", "0010_format_of_dead_letters")]
    operations = [
        AddIndexConcurrently(
            model_name="channelevent",
            index=models.Index(
                condition=models.Q(kind__in=["revoke", "edit"]),
                fields=["provider_message_id"],
                name="channel_events_about_messages",
            ),
        ),
    ]
