"""Production does not start on a database where the demo's credentials work, whichever process it is."""

import os
from urllib.parse import quote

import pytest
from django.contrib.auth.models import User as Staff
from django.core.management import call_command
from django.db import connection
from django.db.backends.signals import connection_created

from billing import keys
from config.deployment import demo_guard, servers
from config.lib import demo_credentials, local_secrets
from tests.config.production import PRODUCTION

pytestmark = pytest.mark.long

REFUSAL = "credentials of the demo that work: API key `demoop`, staff user `demo`. Remove them with"


@pytest.fixture
def credentials(transactional_db):
    keys.register("mcak_demoop_whatever", user_id=None, name="demo")
    Staff.objects.create_superuser("demo", password="whatever")


@pytest.fixture
def production(transactional_db):
    """The environment of a production on the test's database."""
    found = connection.settings_dict
    url = f"postgres://{found['USER']}@{quote(found['HOST'], safe='')}/{found['NAME']}"
    return {**PRODUCTION, "DATABASE_URL": url}


class TestProcesses:
    @pytest.mark.parametrize(
        "command",
        [
            pytest.param(["-c", "import config.asgi"], id="web"),
            pytest.param(["-c", "import config.webhook_asgi"], id="webhook"),
            pytest.param(["-c", "import config.live"], id="live"),
            pytest.param(["-m", "celery", "-A", "config", "worker", "-Q", "default"], id="worker"),
            pytest.param(["-m", "celery", "-A", "config", "beat", "-s", "{tmp}/schedule"], id="beat"),
            pytest.param(["manage.py", "sweep"], id="sweeper"),
            pytest.param(["manage.py", "check", "--deploy"], id="check"),
        ],
    )
    def test_does_not_start_where_the_demo_can_get_in(
        self, credentials, production, run_python, command, tmp_path
    ):
        ended = run_python(*(word.format(tmp=tmp_path) for word in command), **production)

        assert ended.returncode != 0
        assert REFUSAL in ended.stderr

    @pytest.mark.parametrize("command", [["migrate"], ["remove_demo"], ["check"]])
    def test_commands_that_fix_it_are_not_refused(self, credentials, production, run_python, command):
        ended = run_python("manage.py", *command, **production)

        assert ended.returncode == 0, ended.stderr

    def test_starts_once_the_demo_is_removed(self, credentials, production, run_python):
        call_command("remove_demo")

        ended = run_python("-c", "import config.asgi", **production)

        assert ended.returncode == 0, ended.stderr

    def test_starts_while_postgres_is_away(self, run_python):
        ended = run_python("-c", "import config.asgi", **PRODUCTION)

        assert ended.returncode == 0, ended.stderr
        assert "Postgres was not asked" in ended.stderr


class TestFirstConnection:
    @pytest.fixture(autouse=True)
    def _production(self, settings):
        settings.IS_PRODUCTION = True
        yield
        connection_created.disconnect(dispatch_uid=demo_guard.__name__)

    def connect(self):
        connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def test_ends_a_process_that_started_while_postgres_was_away(self, credentials, production, run_python):
        script = (
            "import django, time; django.setup(); from django.db import connection;"
            "from config.deployment import demo_guard; demo_guard.check_with_first_connection();"
            "connection.ensure_connection(); print('connected')"
        )

        ended = run_python("-c", script, DJANGO_SETTINGS_MODULE="config.settings", **production)

        assert (ended.returncode, ended.stdout) == (os.EX_CONFIG, ""), ended.stderr
        assert "start.refused" in ended.stderr

    def test_is_checked_once_where_nothing_is_found(self, transactional_db):
        before = len(connection_created.receivers)
        demo_guard.check_with_first_connection()
        assert len(connection_created.receivers) == before + 1

        self.connect()

        assert len(connection_created.receivers) == before


class TestCheck:
    def found(self):
        return [message.id for message in servers.check_postgres()]

    def test_refuses_nothing_on_a_checkout_that_stands_alone(self, credentials):
        assert self.found() == []

    @pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
    def test_refuses_no_key_that_does_not_work(self, transactional_db, settings, ended):
        settings.IS_PRODUCTION = True
        row = keys.register("mcak_demo_whatever", user_id=None, name="demo")
        assert self.found() == ["config.E015"]

        setattr(row, ended, row.created_at)
        row.save()

        assert self.found() == []

    def test_refuses_no_staff_user_who_was_locked(self, transactional_db, settings):
        settings.IS_PRODUCTION = True
        Staff.objects.create_user("demo", is_active=False)

        assert self.found() == []

    def test_takes_a_checkouts_own_demo_when_exposed_in_development(self, credentials, settings, tmp_path):
        settings.EXPOSED_BY, settings.DATA_DIR = ["DJANGO_ALLOWED_HOSTS"], tmp_path
        assert self.found() == ["config.E015"]
        for prefix, name in (
            (demo_credentials.KEY_PREFIX, demo_credentials.KEY_SECRET),
            (demo_credentials.OPERATOR_KEY_PREFIX, demo_credentials.OPERATOR_KEY_SECRET),
        ):
            key = local_secrets.get(tmp_path, name, lambda prefix=prefix: f"mcak_{prefix}_own")
            keys.replace(key, user_id=None, name="demo")

        assert self.found() == []

    def test_an_empty_database_has_no_demo(self, transactional_db, settings):
        settings.IS_PRODUCTION = True
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO pg_catalog")
            found = demo_credentials.active(cursor)
            cursor.execute("RESET search_path")

        assert found == []
