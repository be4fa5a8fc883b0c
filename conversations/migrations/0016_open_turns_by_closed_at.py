"""
Open turns are found by `closed_at`: a turn that is answered, or whose lease is renewed, writes no index.

Each new index is there before the old one goes, and takes its name, so that one of them is unique at any time.
"""

from django.db import migrations, models
from django.db.models import Q

REPLACED = {
    "turns_one_open_per_customer": ("UNIQUE INDEX", "customer_id"),
    "turns_open_by_number": ("INDEX", "phone_number_id"),
}


def replace(name: str, kind: str, columns: str, condition: str) -> list[migrations.RunSQL]:
    create = f"CREATE {kind} CONCURRENTLY {name}_new ON turns ({columns}) WHERE {condition}"
    return [
        migrations.RunSQL(statement, migrations.RunSQL.noop)
        for statement in (
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}_new",
            create,
            f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
            f"ALTER INDEX {name}_new RENAME TO {name}",
        )
    ]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("conversations", "0015_deliveries_open")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                operation
                for name, (kind, columns) in REPLACED.items()
                for operation in replace(name, kind, columns, "closed_at IS NULL")
            ],
            state_operations=[
                migrations.RemoveConstraint("turn", "turns_one_open_per_customer"),
                migrations.RemoveIndex("turn", "turns_open_by_number"),
                migrations.AddConstraint(
                    "turn",
                    models.UniqueConstraint(
                        fields=["customer"],
                        name="turns_one_open_per_customer",
                        condition=Q(closed_at__isnull=True),
                    ),
                ),
                migrations.AddIndex(
                    "turn",
                    models.Index(
                        fields=["phone_number"],
                        name="turns_open_by_number",
                        condition=Q(closed_at__isnull=True),
                    ),
                ),
            ],
        ),
    ]
