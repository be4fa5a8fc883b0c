"""What people read above lists; the tables stay as they are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_idempotency_keys")]

    operations = [
        migrations.AlterModelOptions(name="apikey", options={"verbose_name": "API key"}),
        migrations.AlterModelOptions(
            name="creditentry", options={"verbose_name_plural": "credit entries"}
        ),
    ]
