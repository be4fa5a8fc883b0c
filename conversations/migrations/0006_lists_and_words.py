"""Indexes for a business's lists, and for words in its messages."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations, models
from django.db.models.functions import Upper


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0005_whose_it_is_and_who_said_it"),
    ]

    operations = [
        # Words of a million messages take half a minute.
        migrations.RunSQL("SET LOCAL statement_timeout = 0", migrations.RunSQL.noop),
        TrigramExtension(),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["user", "conversation_id"], name="conversations_by_user"),
        ),
        migrations.AddIndex(
            model_name="conversation",
            index=models.Index(fields=["user", "customer_phone"], name="conversations_by_user_phone"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["user", "timestamp", "message_id"], name="messages_by_user"),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                condition=models.Q(("failed_at__isnull", False)),
                fields=["user", "timestamp", "message_id"],
                name="messages_failed_by_user",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=GinIndex(OpClass(Upper("text"), name="gin_trgm_ops"), name="messages_by_words"),
        ),
    ]
