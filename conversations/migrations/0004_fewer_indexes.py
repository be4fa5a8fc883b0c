"""Every index of a hot table is written again by each row and most updates: only those somebody reads."""

import django.db.models.deletion
from django.db import migrations, models


# Django makes a second index for LIKE on each key that is text; nobody looks for a part of an id.
DROP_LIKE = r"""
DO $$
DECLARE name text;
BEGIN
    FOR name IN SELECT indexname FROM pg_indexes
                 WHERE tablename IN ('conversations', 'turns', 'messages', 'deliveries') AND indexname LIKE '%\_like'
    LOOP EXECUTE format('DROP INDEX %I', name); END LOOP;
END $$;
"""

# Taking the plain index off a column, Django takes unique ones with a condition along.
UNIQUE_AGAIN = """
CREATE UNIQUE INDEX IF NOT EXISTS turns_one_open_per_customer
    ON turns (customer_id) WHERE state IN ('claimed', 'answered');
CREATE UNIQUE INDEX IF NOT EXISTS messages_one_ai_reply_per_turn
    ON messages (turn_id) WHERE author = 'ai' AND turn_id IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0003_handover_variables_and_archives"),
        ("channels_app", "0004_fewer_indexes"),
        ("conversations", "0003_openai_copy_and_handover"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="turn",
            name="turns_by_lease",
        ),
        migrations.AlterField(
            model_name="conversation",
            name="agent",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="conversations",
                to="agents.agent",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="conversations",
                to="channels_app.customer",
            ),
        ),
        migrations.AlterField(
            model_name="conversation",
            name="openai_conversation_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="message",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="conversations.message",
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="phone_number",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="deliveries",
                to="channels_app.phonenumber",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="conversations.conversation",
            ),
        ),
        migrations.AlterField(
            model_name="message",
            name="turn",
            field=models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="messages",
                to="conversations.turn",
            ),
        ),
        migrations.AlterField(
            model_name="turn",
            name="conversation",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="turns",
                to="conversations.conversation",
            ),
        ),
        migrations.AlterField(
            model_name="turn",
            name="customer",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="turns",
                to="channels_app.customer",
            ),
        ),
        migrations.AlterField(
            model_name="turn",
            name="phone_number",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="turns",
                to="channels_app.phonenumber",
            ),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["agent"], name="conversations_by_agent"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["customer"], name="conversations_by_customer"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["openai_conversation_id"], name="conversations_by_openai_id"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("turn__isnull", False)), fields=["turn"], name="messages_by_turn"
            ),
        ),
        migrations.AddIndex(
            model_name="turn",
            index=models.Index(fields=["customer", "created_at"], name="turns_by_customer"),
        ),
        migrations.AddIndex(
            model_name="turn",
            index=models.Index(fields=["conversation"], name="turns_by_conversation"),
        ),
        migrations.RunSQL(UNIQUE_AGAIN, migrations.RunSQL.noop),
        migrations.RunSQL(DROP_LIKE, migrations.RunSQL.noop),
    ]
