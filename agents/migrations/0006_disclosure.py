"""
Agents say that they are an AI, the existing ones, too: EU AI Act, Art. 50(1), in force since 2 August 2026.

A constant default: the table is not rewritten.
"""

from django.db import migrations, models

DISCLOSURE = "You are chatting with an AI assistant."


class Migration(migrations.Migration):
    dependencies = [("agents", "0005_notices_and_model_shutdowns")]
    operations = [
        migrations.AddField(
            model_name="agent",
            name="disclosure",
            field=models.CharField(
                blank=True,
                db_default=DISCLOSURE,
                default=DISCLOSURE,
                help_text="put before the first AI reply of a conversation; empty = nothing",
                max_length=200,
            ),
        ),
    ]
