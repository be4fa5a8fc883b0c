"""Events of the type `number.silent`; nothing changes in the database."""

from django.db import migrations, models

TYPES = [
    ("message.received", "Message Received"),
    ("message.sent", "Message Sent"),
    ("message.delivered", "Message Delivered"),
    ("message.read", "Message Read"),
    ("message.failed", "Message Failed"),
    ("message.unknown", "Message Unknown"),
    ("conversation.idle", "Conversation Idle"),
    ("conversation.handover", "Conversation Handover"),
    ("lead.created", "Lead Created"),
    ("lead.updated", "Lead Updated"),
    ("credits.low", "Credits Low"),
    ("credits.exhausted", "Credits Exhausted"),
    ("channel.error", "Channel Error"),
    ("number.unanswered", "Number Unanswered"),
    ("number.silent", "Number Silent"),
    ("prompt.ended", "Prompt Ended"),
    ("model.ending", "Model Ending"),
    ("endpoint.test", "Endpoint Test"),
]


class Migration(migrations.Migration):
    dependencies = [("billing", "0018_cheaper_updates")]
    operations = [
        migrations.AlterField(
            model_name="event", name="type", field=models.CharField(choices=TYPES, max_length=30)
        ),
    ]
