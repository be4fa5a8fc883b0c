"""What a load wrote and read, from Postgres's own statistics."""

import psycopg
from django.db import connection
from psycopg.rows import dict_row

from billing.models import Credit
from tests.factories import CreditFactory
from tests.load import tables


def read(database: psycopg.Connection) -> tables.Counts:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT 1")
    database.execute("SELECT pg_stat_clear_snapshot()")
    return tables.read(database)


def test_updates_that_wrote_no_index_and_reads_of_indexes_are_counted(transactional_db, servers):
    url = servers.database_url.replace("postgres://", "postgresql://").rsplit("/", 1)[0]
    name = connection.settings_dict["NAME"]
    credit = CreditFactory()

    with psycopg.connect(f"{url}/{name}", row_factory=dict_row, autocommit=True) as database:
        before = read(database)
        for percent in (20, 5):
            Credit.objects.filter(pk=credit.pk).update(told_percent=percent)
        rose = tables.since(before, read(database))

    assert (rose["credits"]["updated"], rose["credits"]["hot"]) == (2, 2)
    assert rose["credits.credits_pkey"]["scans"] >= 2
    assert "phone_numbers" not in rose
    assert " 100% " in tables.table(rose, 2)
