"""Whether an error means that Postgres is away is decided in one place: `config.lib.sql.is_unavailable`."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.test_rules import modules, name

# Errors of Django and psycopg that some outages raise and others do not: a read-only server is none of them.
CLASSES = {
    "DatabaseError", "Error", "InterfaceError", "InternalError", "OperationalError", "PoolTimeout",
}  # fmt: skip
LIBRARIES = ("django.db", "psycopg", "psycopg_pool")
# Whoever adds a module here says why it need not ask `is_unavailable`.
ALLOWED = {
    "config/lib/sql.py": "decides",
    "config/admin/dashboard.py": "catches a statement of its own that takes too long, and nothing else",
    "config/admin/pages.py": "catches a list that takes too long, and nothing else",
    "billing/idempotency.py": "catches a lock that another request with the same key holds, and nothing else",
    "config/lib/errors.py": "names an error, and decides nothing",
    "config/embedded/external.py": "tells whoever starts the service why their Postgres cannot be used",
    "config/embedded/postgres.py": "asks whether a server of its own has started",
    "config/deployment/servers.py": "whatever the error, the check says that Postgres could not be asked",
    "config/readiness.py": "whatever the error, the part that was looked at is away",
    "config/lib/heartbeat.py": "whatever the error, it beats again five seconds later",
    "conversations/leases.py": "whatever the error, it renews again a moment later",
    "config/live_streams.py": "only reads; whatever the error, it reads again two seconds later",
}
# Stands beside the house and has no database.
OTHERS = ("simulator/",)


def imported(tree: ast.AST) -> Iterator[str]:
    """List the error classes a module takes from a database library, by import or as an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(LIBRARIES):
            yield from (alias.name for alias in node.names if alias.name in CLASSES)
        elif isinstance(node, ast.Attribute) and node.attr in CLASSES:
            yield from [node.attr] if ast.unparse(node).startswith(LIBRARIES) else []


def classes_of(source: str) -> set[str]:
    return set(imported(ast.parse(source)))


class TestDatabaseErrors:
    def test_are_judged_in_one_place(self):
        found = {
            name(path)
            for path in modules()
            if classes_of(Path(path).read_text()) and not name(path).startswith(OTHERS)
        }

        assert found == set(ALLOWED)

    def test_are_found_however_they_are_imported(self):
        assert classes_of("from django.db import InterfaceError as away, connection") == {"InterfaceError"}
        assert classes_of("import psycopg\ntry: pass\nexcept psycopg.OperationalError: pass") == {
            "OperationalError"
        }
        assert classes_of("from psycopg.errors import ReadOnlySqlTransaction") == set()
        assert classes_of("import django.db\nisinstance(x, django.db.Error)") == {"Error"}
