"""Drops the indexes on the state of deliveries; once no process of the release before is left."""

from django.db import migrations

from config.lib.migrating import drop_index


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0014_cheaper_updates")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                drop_index(
                    "deliveries_sending",
                    definition="INDEX {name} ON deliveries (lease_expires_at) WHERE state = 'sending'",
                ),
                drop_index(
                    "deliveries_pending",
                    definition="INDEX {name} ON deliveries (created_at) WHERE state = 'pending'",
                ),
            ],
            state_operations=[
                migrations.RemoveIndex("delivery", "deliveries_sending"),
                migrations.RemoveIndex("delivery", "deliveries_pending"),
            ],
        )
    ]
