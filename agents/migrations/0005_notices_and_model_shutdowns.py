"""Events that are raised once, and the days on which OpenAI shuts models down."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("agents", "0004_reading_for_leads"), ("billing", "0014_events_of_prompts_and_models")]
    operations = [
        migrations.CreateModel(
            name="ModelShutdown",
            fields=[
                ("model", models.CharField(max_length=255, primary_key=True, serialize=False)),
                (
                    "shutdown_on",
                    models.DateField(blank=True, help_text="none = not announced", null=True),
                ),
                ("checked_at", models.DateTimeField(db_default=Now())),
            ],
            options={"db_table": "model_shutdowns"},
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("type", models.CharField(help_text="the event's", max_length=30)),
                (
                    "subject",
                    models.CharField(
                        help_text="the agent and prompt, or the model and threshold", max_length=255
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=Now())),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="billing.user",
                    ),
                ),
            ],
            options={"db_table": "agent_notices"},
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(fields=("user", "type", "subject"), name="agent_notices_once"),
        ),
    ]
