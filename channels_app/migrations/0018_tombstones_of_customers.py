"""Tombstones of erased customers: keyed hashes that keep late webhooks from bringing their data back."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0017_checks_of_numbers")]
    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                (
                    "digest",
                    models.CharField(
                        help_text="HMAC-SHA256, see tombstones",
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("person", "Person"), ("message", "Message")], max_length=10),
                ),
                (
                    "erased_at",
                    models.DateTimeField(
                        db_default=Now(),
                        help_text="what a person wrote until then is not stored again",
                    ),
                ),
            ],
            options={
                "db_table": "tombstones",
                "indexes": [models.Index(fields=["erased_at"], name="tombstones_by_age")],
            },
        ),
    ]
