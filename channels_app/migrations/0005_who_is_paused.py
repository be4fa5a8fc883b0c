"""An index for the dashboard: few rows, written only where somebody takes over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0004_fewer_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(
                condition=models.Q(("paused_until__isnull", False)),
                fields=["paused_until"],
                name="customers_paused",
            ),
        ),
    ]
