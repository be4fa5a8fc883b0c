"""What is inserted before a run fits the tables of the oldest revision that the benchmark compares with."""

import re

from django.db.migrations.loader import MigrationLoader

from tests.load import businesses, history_rows

# The last migrations of c4e98dc.
_OLDEST = [
    ("agents", "0004_reading_for_leads"),
    ("billing", "0008_events_reach_endpoints"),
    ("channels_app", "0008_unsent_pictures"),
    ("conversations", "0009_when_to_extract"),
]
_INSERT = re.compile(r"INSERT INTO (\w+)\s*\(([^)]*)\)")


def test_inserted_columns_exist_in_the_oldest_revision():
    apps = MigrationLoader(None).project_state(_OLDEST).apps
    columns = {
        model._meta.db_table: {field.column for field in model._meta.fields} for model in apps.get_models()
    }

    inserts = [
        (table, {name.strip() for name in names.split(",")})
        for statement in (*history_rows.FILLING_SQL, businesses._BUSINESS_SQL, businesses._NUMBER_SQL)
        for table, names in _INSERT.findall(statement)
    ]

    assert len(inserts) == 16
    assert [(table, names - columns[table]) for table, names in inserts if names - columns[table]] == []
