"""Conversations and messages say which business they belong to, and messages who of the staff said them."""

import django.db.models.deletion
from django.db import migrations, models

# The column has no default: a row that belongs to nobody would be shown to nobody, and nobody would notice.
FILL = """
SET LOCAL statement_timeout = 0;
UPDATE conversations SET user_id = agents.user_id FROM agents WHERE agents.agent_id = conversations.agent_id;
UPDATE messages SET user_id = conversations.user_id
  FROM conversations WHERE conversations.conversation_id = messages.conversation_id;
"""


def user(*, of, null):
    return models.ForeignKey(
        db_constraint=False,
        db_index=False,
        null=null,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=of,
        to="billing.user",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0003_handover_variables_and_archives"),
        ("billing", "0005_idempotency_keys"),
        ("conversations", "0004_fewer_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="actor",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="who of the staff said it, if known",
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="conversation", name="user", field=user(of="conversations", null=True)
        ),
        migrations.AddField(model_name="message", name="user", field=user(of="messages", null=True)),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="conversation", name="user", field=user(of="conversations", null=False)
        ),
        migrations.AlterField(model_name="message", name="user", field=user(of="messages", null=False)),
    ]
