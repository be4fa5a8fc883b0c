"""What is still to be deleted at OpenAI and in the storage."""

from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("conversations", "0016_open_turns_by_closed_at")]
    operations = [
        migrations.CreateModel(
            name="PendingDeletion",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("openai_conversation", "Openai Conversation"),
                            ("openai_response", "Openai Response"),
                            ("file", "File"),
                        ],
                        max_length=20,
                    ),
                ),
                ("target", models.CharField(help_text="OpenAI's id, or the file's name", max_length=255)),
                ("erasure_id", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("due_at", models.DateTimeField(db_default=Now(), help_text="the next attempt")),
                ("attempts", models.PositiveIntegerField(db_default=0, default=0)),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=100)),
                ("created_at", models.DateTimeField(db_default=Now())),
            ],
            options={
                "db_table": "pending_deletions",
                "indexes": [
                    models.Index(fields=["due_at"], name="pending_deletions_due"),
                    models.Index(
                        condition=models.Q(("erasure_id", ""), _negated=True),
                        fields=["erasure_id"],
                        name="pending_deletions_of_erasure",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "target"), name="pending_deletions_each_once")
                ],
            },
        ),
    ]
