"""An index for what the dashboard shows: few rows, written only where something fails."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("conversations", "0006_lists_and_words")]

    operations = [
        migrations.AlterModelOptions(name="delivery", options={"verbose_name_plural": "deliveries"}),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("failed_at__isnull", False)),
                fields=["failed_at"],
                name="messages_failed_lately",
            ),
        ),
    ]
