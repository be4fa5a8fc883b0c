"""Every index of a hot table is written again by each row and most updates: only those somebody reads."""

import django.db.models.deletion
from django.db import migrations, models


# Django makes a second index for LIKE on each key that is text; nobody looks for a part of an id.
DROP_LIKE = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT indexname FROM pg_indexes
                 WHERE tablename IN ('credits', 'credit_entries') AND indexname LIKE '%\_like'
    LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0003_events_and_thresholds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="creditentry",
            name="user",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="credit_entries",
                to="billing.user",
            ),
        ),
        migrations.RunSQL(DROP_LIKE, migrations.RunSQL.noop),
    ]
