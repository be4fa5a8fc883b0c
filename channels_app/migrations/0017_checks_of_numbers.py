"""The last check of a number at Graph, and when its silence was reported."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    dependencies = [("channels_app", "0016_cheaper_updates")]
    operations = [
        migrations.AddField(
            model_name="phonenumber",
            name="silent_at",
            field=models.DateTimeField(
                blank=True,
                help_text="when its business was last told that no messages come in although they used to",
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="NumberCheck",
            fields=[
                (
                    "phone_number",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="graph_check",
                        serialize=False,
                        to="channels_app.phonenumber",
                    ),
                ),
                ("checked_at", models.DateTimeField(db_default=Now())),
                (
                    "health",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        help_text="as graph_health.GraphHealth has it",
                    ),
                ),
            ],
            options={
                "db_table": "number_checks",
                "indexes": [models.Index(fields=["checked_at"], name="number_checks_by_age")],
            },
        ),
    ]
