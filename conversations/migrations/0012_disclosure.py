"""When a conversation's customer was told that an AI answers; existing conversations are told with the next reply."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0011_wipe_taken_back_and_mark_unknown"),
        ("agents", "0006_disclosure"),
    ]
    operations = [
        migrations.AddField(
            model_name="conversation",
            name="disclosed_at",
            field=models.DateTimeField(
                blank=True, help_text="when a reply with the agent's disclosure was stored", null=True
            ),
        ),
        migrations.AddField(
            model_name="conversation",
            name="disclosed_by",
            field=models.CharField(
                blank=True, db_default="", help_text="the reply; empty = none that arrived", max_length=50
            ),
        ),
    ]
