"""Erasures of customers, and their receipts."""

import functools
import secrets

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

import config.lib.ids


class Migration(migrations.Migration):
    initial = True
    dependencies = [("billing", "0019_number_silent_event")]
    operations = [
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "erasure_id",
                    models.CharField(
                        default=functools.partial(config.lib.ids.new, "era"),
                        max_length=50,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "customer_id",
                    models.CharField(
                        help_text="ours; nothing else has it any more", max_length=50, unique=True
                    ),
                ),
                ("phone_number_id", models.CharField(max_length=50)),
                (
                    "source",
                    models.CharField(
                        choices=[("api", "Api"), ("admin", "Admin"), ("command", "Command"), ("meta", "Meta")],
                        max_length=10,
                    ),
                ),
                (
                    "actor",
                    models.CharField(help_text="who asked for it: a key, a login, a command, Meta", max_length=150),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done")],
                        db_default="running",
                        default="running",
                        max_length=10,
                    ),
                ),
                (
                    "subject",
                    models.TextField(blank=True, db_default="", default="", help_text="encrypted; empty when done"),
                ),
                (
                    "counts",
                    models.JSONField(
                        db_default=models.Value({}, models.JSONField()),
                        default=dict,
                        help_text="rows and other things, by kind",
                    ),
                ),
                ("requested_at", models.DateTimeField(db_default=Now())),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("due_at", models.DateTimeField(db_default=Now(), help_text="when it is gone on with")),
                ("error", models.CharField(blank=True, db_default="", default="", max_length=255)),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        help_text="none = the customer's number is nobody's",
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="erasures",
                        to="billing.user",
                    ),
                ),
            ],
            options={
                "db_table": "erasures",
                "indexes": [
                    models.Index(fields=["user", "erasure_id"], name="erasures_by_user"),
                    models.Index(
                        condition=models.Q(("state", "running")), fields=["due_at"], name="erasures_running"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeletionRequest",
            fields=[
                (
                    "code",
                    models.CharField(
                        default=functools.partial(secrets.token_hex, 16),
                        max_length=32,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "erasure_ids",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50),
                        db_default=models.Value(
                            [],
                            django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=50)),
                        ),
                        default=list,
                        help_text="none = nothing was stored of the person",
                        size=None,
                    ),
                ),
                ("requested_at", models.DateTimeField(db_default=Now())),
            ],
            options={"db_table": "deletion_requests"},
        ),
    ]
