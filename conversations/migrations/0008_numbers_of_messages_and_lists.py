"""Messages say which number they were said on, and lists of conversations get what they follow."""

import django.db.models.deletion
from django.db import migrations, models

# The column has no default: a message on no number would be shown on none.
FILL = """
SET LOCAL statement_timeout = 0;
UPDATE messages SET phone_number_id = customers.phone_number_id
  FROM conversations JOIN customers USING (customer_id)
 WHERE conversations.conversation_id = messages.conversation_id;
"""


def number(*, null):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        null=null,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="messages",
        to="channels_app.phonenumber",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0007_what_the_dashboard_reads"),
    ]

    operations = [
        migrations.AddField(model_name="message", name="phone_number", field=number(null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(model_name="message", name="phone_number", field=number(null=False)),
        migrations.RemoveConstraint(model_name="message", name="messages_failed_when_known"),
        migrations.RunSQL(
            "UPDATE messages SET failed_at = NULL WHERE status <> 'failed' AND failed_at IS NOT NULL",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("failed_at__isnull", False), ("status", "failed"))
                | (~models.Q(("status", "failed")) & models.Q(("failed_at__isnull", True))),
                name="messages_failed_at_if_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["phone_number", "timestamp", "message_id"], name="messages_by_number"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["agent", "conversation_id"], name="conversations_by_agent_newest"),
        ),
        migrations.RemoveIndex(model_name="conversation", name="conversations_by_agent"),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(
                condition=models.Q(("handover_at__isnull", False)),
                fields=["user", "conversation_id"],
                name="conversations_asking_for_staff",
            ),
        ),
    ]
