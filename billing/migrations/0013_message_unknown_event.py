"""Events of the type `message.unknown`, and refunds by a person; nothing changes in the database."""

from django.db import migrations, models

TYPES = [
    ("message.received", "Message Received"),
    ("message.sent", "Message Sent"),
    ("message.failed", "Message Failed"),
    ("message.unknown", "Message Unknown"),
    ("conversation.idle", "Conversation Idle"),
    ("conversation.handover", "Conversation Handover"),
    ("lead.created", "Lead Created"),
    ("lead.updated", "Lead Updated"),
    ("credits.low", "Credits Low"),
    ("credits.exhausted", "Credits Exhausted"),
    ("channel.error", "Channel Error"),
    ("endpoint.test", "Endpoint Test"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0012_owners_of_idempotency_keys")]
    operations = [
        migrations.AlterField(
            model_name="event", name="type", field=models.CharField(choices=TYPES, max_length=30)
        ),
        migrations.AlterField(
            model_name="creditentry",
            name="actor",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="the person who adjusted the balance or refunded a reply",
                max_length=100,
            ),
        ),
    ]
