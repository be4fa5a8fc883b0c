"""An index that finds the messages that a webhook brought, by its correlation id."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("channels_app", "0011_events_about_messages")]
    operations = [
        AddIndexConcurrently(
            model_name="inboundmessage",
            index=models.Index(
                condition=models.Q(("correlation_id", ""), _negated=True),
                fields=["correlation_id"],
                name="inbound_by_correlation",
            ),
        ),
    ]
