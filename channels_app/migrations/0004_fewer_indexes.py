"""Every index of a hot table is written again by each row and most updates: only those somebody reads."""

import django.db.models.deletion
from django.db import migrations, models


# Django makes a second index for LIKE on each key that is text; nobody looks for a part of an id.
DROP_LIKE = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT indexname FROM pg_indexes
                 WHERE tablename IN ('inbound_messages', 'customers', 'channel_events') AND indexname LIKE '%\_like'
    LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("channels_app", "0003_told_unavailable"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="customer",
            name="customers_one_per_wa_id",
        ),
        migrations.RemoveConstraint(
            model_name="customer",
            name="customers_one_per_bsuid",
        ),
        migrations.RemoveConstraint(
            model_name="customer",
            name="customers_one_per_ig_id",
        ),
        migrations.RemoveConstraint(
            model_name="customer",
            name="customers_one_per_visitor_id",
        ),
        migrations.AlterField(
            model_name="channelevent",
            name="phone_number",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="events",
                to="channels_app.phonenumber",
            ),
        ),
        migrations.AlterField(
            model_name="customer",
            name="phone_number",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="customers",
                to="channels_app.phonenumber",
            ),
        ),
        migrations.AlterField(
            model_name="inboundmessage",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="inbox",
                to="channels_app.customer",
            ),
        ),
        migrations.AlterField(
            model_name="inboundmessage",
            name="phone_number",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="inbox",
                to="channels_app.phonenumber",
            ),
        ),
        migrations.AddIndex(
            model_name="inboundmessage",
            index=models.Index(fields=["customer", "sent_at"], name="inbound_by_customer"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("wa_id__isnull", False)),
                fields=("phone_number", "wa_id"),
                name="customers_one_per_wa_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("bsuid__isnull", False)),
                fields=("phone_number", "bsuid"),
                name="customers_one_per_bsuid",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("ig_id__isnull", False)),
                fields=("phone_number", "ig_id"),
                name="customers_one_per_ig_id",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(
                condition=models.Q(("visitor_id__isnull", False)),
                fields=("phone_number", "visitor_id"),
                name="customers_one_per_visitor_id",
            ),
        ),
        migrations.RunSQL(DROP_LIKE, migrations.RunSQL.noop),
    ]
