"""What the pages for operators have run does run: SQL, Redis, `manage.py`, a dump and its restore."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.core.management import get_commands, load_command_class
from django.db import connection

from config.embedded import postgres
from tests.documentation.test_shell import blocks
from tests.factories import CreditFactory
from tests.house.test_rules import files
from tests.rig import PROJECT

OPERATIONS = PROJECT / "documentation" / "operations"
PAGES = sorted(files("*.md", below=OPERATIONS))
_SQL = re.compile(r'psql "\$DATABASE_URL" -c "(.*?)"', re.DOTALL)
_REDIS = re.compile(r'redis-cli -u "\$REDIS_URL" (?:--raw )?([A-Z][^|>\n]*)')
_MANAGE = re.compile(r"manage\.py (\w+)((?: --[a-z-]+)*)")
BIN = Path(sys.executable).parent


def found(pattern: re.Pattern) -> list:
    return [
        pytest.param(hit, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, hit in enumerate(pattern.findall("\n".join(blocks(page.read_text()))))
    ]


def text_of_pages(pattern: re.Pattern) -> list:
    return [
        pytest.param(hit, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, hit in enumerate(sorted(set(pattern.findall(page.read_text()))))
    ]


@pytest.mark.parametrize("statement", found(_SQL))
def test_sql_of_a_page_runs(statement, transactional_db):
    # What a statement changes must not outlive the test; a few cannot run in a transaction.
    is_alone = statement.lstrip().upper().startswith(("VACUUM", "CREATE INDEX CONCURRENTLY", "REINDEX"))
    with psycopg.connect(**connection.get_connection_params(), autocommit=is_alone) as psql:
        psql.execute(statement.replace("$PREFIX", "mcak"))
        if not is_alone:
            psql.rollback()


@pytest.mark.parametrize("command", found(_REDIS))
def test_command_of_redis_runs(command, valkey):
    valkey.execute_command(*shlex.split(command))


@pytest.mark.parametrize("words", text_of_pages(_MANAGE))
def test_command_of_the_service_exists_with_its_options(words):
    name, options = words
    command = load_command_class(get_commands()[name], name)

    known = {option for action in command.create_parser("manage.py", name)._actions
             for option in action.option_strings}  # fmt: skip
    assert set(options.split()) <= known


class TestRestore:
    """The dump and the restore of the page, into a database of its own, and what the page checks then."""

    @pytest.fixture
    def restored(self, servers, transactional_db):
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as psql:
            psql.execute("DROP DATABASE IF EXISTS restored")
            psql.execute("CREATE DATABASE restored")
        yield self.url("restored")
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as psql:
            psql.execute("DROP DATABASE restored")

    @staticmethod
    def url(name: str) -> str:
        given = connection.get_connection_params()
        host = str(given["host"]).replace("/", "%2F")
        return f"postgresql://{given['user']}@{host}/{name}"

    def test_gives_the_ledger_back(self, restored, tmp_path):
        business = CreditFactory(remaining_credits=7)
        commands = "\n".join(
            line
            for code in blocks((OPERATIONS / "backup.md").read_text())
            for line in code.splitlines()
            if line.startswith(("pg_dump", "pg_restore"))
        )
        # The page names each dump by its time.
        commands = re.sub(r"agents-\$\(date [^)]*\)", "agents", commands)
        environ = {
            "PATH": f"{postgres.program('pg_dump').parent}:{BIN}:/usr/bin:/bin",
            "DATABASE_URL": self.url(str(connection.settings_dict["NAME"])),
            "RESTORED": restored,
            "BACKUPS": str(tmp_path),
        }

        subprocess.run(["bash", "-euc", commands], env=environ, check=True, timeout=300)

        with psycopg.connect(restored) as psql:
            balance = psql.execute(
                "SELECT remaining_credits, (SELECT sum(amount) FROM credit_entries AS entry "
                "WHERE entry.user_id = credits.user_id) FROM credits WHERE user_id = %s",
                [business.user_id],
            ).fetchone()
        assert balance == (7, 7)
