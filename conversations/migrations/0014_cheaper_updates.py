"""
Most updates of these tables write no index, and stay on their page (HOT updates).

- Deliveries get `is_open`, which a trigger keeps: an index on `state` was written again by each status. The
  indexes that it replaces go in 0015, since processes of the release before read them.
- Room on each page for the next versions of its rows, and a vacuum that comes by share of a large table.
- One rule for active conversations: an agent has one with each customer, whatever their address.
- Foreign keys that each message checked, and that prove nothing, go.

Nothing is rewritten, and no table is locked for longer than a moment. The fillfactor holds for new pages.
documentation/decisions says why for each value.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from config.lib.migrating import drop_index, set_storage

# In two steps: with one default, rows of years ago would be open. One transaction, so that no row is written
# between the column and its trigger.
IS_OPEN = """
    ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS is_open boolean NOT NULL DEFAULT false;
    ALTER TABLE deliveries ALTER COLUMN is_open SET DEFAULT true;
    CREATE OR REPLACE FUNCTION deliveries_keep_is_open() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.is_open := NEW.state IN ('pending', 'sending');
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER deliveries_keep_is_open
        BEFORE INSERT OR UPDATE ON deliveries FOR EACH ROW
        WHEN (NEW.is_open IS DISTINCT FROM (NEW.state IN ('pending', 'sending')))
        EXECUTE FUNCTION deliveries_keep_is_open();
    -- Also in sessions that load rows without the checks of foreign keys.
    ALTER TABLE deliveries ENABLE ALWAYS TRIGGER deliveries_keep_is_open;
"""
# There are few; found by the indexes that 0015 drops. The trigger has the value.
FILL = """
    UPDATE deliveries SET is_open = true WHERE state = 'pending' AND NOT is_open;
    UPDATE deliveries SET is_open = true WHERE state = 'sending' AND NOT is_open;
"""
NO_IS_OPEN = """
    DROP TRIGGER deliveries_keep_is_open ON deliveries;
    DROP FUNCTION deliveries_keep_is_open();
    ALTER TABLE deliveries DROP COLUMN is_open;
"""
# Room for a new version of one row in four or five, which the next update clears away again.
FILLFACTORS = {"turns": 80, "messages": 85, "deliveries": 80, "conversations": 85}


def unchecked(model: str, name: str, **changes: object) -> migrations.AlterField:
    """Return an operation that drops the constraint of a foreign key."""
    field = models.ForeignKey(
        db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, **changes
    )
    return migrations.AlterField(model_name=model, name=name, field=field)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [
        ("conversations", "0013_failed_messages_by_number"),
    ]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                drop_index(
                    "conversations_one_active_per_address",
                    definition="UNIQUE INDEX {name} ON conversations (agent_id, customer_phone) WHERE is_active",
                )
            ],
            state_operations=[
                migrations.RemoveConstraint("conversation", "conversations_one_active_per_address")
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(IS_OPEN, NO_IS_OPEN),
                migrations.RunSQL(FILL, migrations.RunSQL.noop),
                migrations.RunSQL(
                    "DROP INDEX CONCURRENTLY IF EXISTS deliveries_open", migrations.RunSQL.noop
                ),
            ],
            state_operations=[
                migrations.AddField(
                    model_name="delivery",
                    name="is_open",
                    field=models.BooleanField(
                        db_default=True, default=True, help_text="pending or sending; kept by a trigger"
                    ),
                )
            ],
        ),
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(condition=models.Q(("is_open", True)), fields=["created_at"], name="deliveries_open"),
        ),
        *(set_storage(table, fillfactor=factor) for table, factor in FILLFACTORS.items()),
        unchecked("turn", "phone_number", related_name="turns", to="channels_app.phonenumber"),
        unchecked("delivery", "phone_number", related_name="deliveries", to="channels_app.phonenumber"),
    ]
