"""config/management/commands/migrate.py: a statement of a migration may take as long as it needs."""

from django.core.management import call_command
from django.db.models.signals import pre_migrate

from config.lib import sql


def timeout() -> str:
    row = sql.row("SELECT current_setting('statement_timeout') AS value")
    assert row is not None
    return str(row["value"])


def test_statements_of_migrations_have_no_time_limit_and_others_have_one_again(db):
    usual, seen = timeout(), []

    def look(**_: object) -> None:
        seen.append(timeout())

    pre_migrate.connect(look, weak=False, dispatch_uid="test")
    try:
        call_command("migrate", "config", verbosity=0)
    finally:
        pre_migrate.disconnect(dispatch_uid="test")

    assert set(seen) == {"0"}
    assert timeout() == usual != "0"
