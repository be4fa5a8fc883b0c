"""
Room for the next versions of balances and webhook deliveries, frequent vacuums, and no needless work.

A line of the ledger is written while its balance is locked, and that has the constraint on the business. The
indexes are Django's second ones for LIKE on each text key; nobody looks for a part of an id.
"""

import django.db.models.deletion
from django.db import migrations, models

from config.lib.migrating import set_storage

# A balance changes with each message. Lines and events are never changed.
FILLFACTORS = {"credits": 50, "credit_entries": 100, "events": 100, "webhook_deliveries": 80}
DROP_LIKE = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT indexname FROM pg_indexes
                 WHERE tablename IN ('events', 'webhook_deliveries') AND indexname LIKE '%\_like'
    LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    # Each statement by itself, so that none holds its lock while another waits for one.
    atomic = False
    dependencies = [("billing", "0017_slow_endpoints")]
    operations = [
        *(set_storage(table, fillfactor=factor) for table, factor in FILLFACTORS.items()),
        migrations.RunSQL(DROP_LIKE, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="creditentry",
            name="user",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_entries",
                to="billing.user",
            ),
        ),
    ]
