"""Operations of migrations that lock no table against reads and writes for longer than a moment."""

from django.db import migrations

# For tables that grow with each message. By Postgres's own settings (a fifth of the table) ten million rows
# would wait for two million dead ones. The cost limit is five times the usual one, so that a vacuum ends
# before the next is due. Rows are frozen once they are no longer changed, by the vacuum that comes anyway:
# at 100 messages a second a million transactions pass in 15 minutes, and without this a vacuum against
# wraparound would read the whole table every day. Statistics are kept at half of Postgres's own share only:
# plans are generic, and each analysis has every connection plan its statements anew. A change of these values
# needs a migration.
VACUUM_OFTEN = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_insert_scale_factor": 0.05,
    "autovacuum_analyze_scale_factor": 0.05,
    "autovacuum_vacuum_cost_limit": 1000,
    "autovacuum_freeze_min_age": 1_000_000,
}


def set_storage(table: str, *, fillfactor: int) -> migrations.RunSQL:
    """
    Return an operation that has pages of a table filled to `fillfactor` percent, and vacuumed often.

    Nothing is rewritten: the fillfactor holds for pages that are written from then on.
    https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS
    """
    parameters = {"fillfactor": fillfactor, **VACUUM_OFTEN}
    values = ", ".join(f"{name} = {value}" for name, value in parameters.items())
    return migrations.RunSQL(
        f"ALTER TABLE {table} SET ({values})", f"ALTER TABLE {table} RESET ({', '.join(parameters)})"
    )


def drop_index(name: str, *, definition: str) -> migrations.RunSQL:
    """
    Return an operation that drops an index while its table is used, and can be repeated after a failure.

    The migration must not be atomic. `definition` creates the index again, with `{name}` for its name.
    """
    return migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}", f"CREATE {definition.format(name=name)}"
    )
