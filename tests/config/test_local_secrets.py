"""A checkout's secrets are random, its own, shared by its processes, and readable by its owner only."""

import json
import os
import stat
import subprocess
import sys

import pytest

from config.lib import local_secrets
from tests.rig import PROJECT

NAMES = ("DJANGO_SECRET_KEY", "FIELD_ENCRYPTION_KEY", "WEBHOOK_SECRET", "WEBHOOK_VERIFY_TOKEN")
_PRINT_SECRETS = """
import json
from config import settings
print(json.dumps({
    "DJANGO_SECRET_KEY": settings.SECRET_KEY, "FIELD_ENCRYPTION_KEY": settings.FIELD_ENCRYPTION_KEYS[0],
    "WEBHOOK_SECRET": settings.WEBHOOK_SECRETS[0], "WEBHOOK_VERIFY_TOKEN": settings.WEBHOOK_VERIFY_TOKEN,
}))
"""


def start_checkout(data_dir) -> subprocess.Popen[str]:
    """Start a process of a checkout that has nothing configured, which prints its secrets."""
    environment = {"PATH": os.environ["PATH"], "APP_ENV": "test", "DATA_DIR": str(data_dir)}
    return subprocess.Popen(
        [sys.executable, "-c", _PRINT_SECRETS], cwd=PROJECT, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


class TestCheckout:
    def test_eight_processes_started_at_once_have_the_same_secrets(self, tmp_path):
        started = [start_checkout(tmp_path / "new") for _ in range(8)]
        ended = [process.communicate(timeout=60) for process in started]

        assert [error for _, error in ended if error] == []
        assert len({output for output, _ in ended}) == 1
        assert set(json.loads(ended[0][0])) == set(NAMES)

    def test_two_checkouts_have_different_secrets_and_none_that_was_published(self, tmp_path):
        first, second = (
            json.loads(start_checkout(tmp_path / name).communicate(timeout=60)[0]) for name in ("a", "b")
        )

        assert [name for name in NAMES if first[name] == second[name]] == []
        assert [name for name in NAMES if first[name] == local_secrets.PUBLISHED[name]] == []

    def test_a_folder_that_cannot_be_written_is_named_with_the_variables(self, tmp_path, run_python):
        (tmp_path / "file").write_text("")

        ended = run_python("manage.py", "check", APP_ENV="test", DATA_DIR=str(tmp_path / "file"))

        assert ended.returncode == 1
        for name in NAMES:
            assert f"{name} is not set, and DATA_DIR cannot hold one" in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_production_creates_no_secrets(self, tmp_path, run_python):
        ended = run_python("manage.py", "check", APP_ENV="production", DATA_DIR=str(tmp_path))

        assert "WEBHOOK_SECRET must be set" in ended.stderr
        assert list(tmp_path.iterdir()) == []


class TestGet:
    @pytest.mark.parametrize("name", NAMES)
    def test_stays_the_same_and_is_readable_by_its_owner_only(self, tmp_path, name):
        first = local_secrets.get(tmp_path, name)

        assert local_secrets.get(tmp_path, name) == first == local_secrets.find(tmp_path, name)
        file = tmp_path / local_secrets.FOLDER / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_find_creates_nothing(self, tmp_path):
        assert local_secrets.find(tmp_path, "WEBHOOK_SECRET") is None
        assert list(tmp_path.iterdir()) == []


class TestOldData:
    def test_what_was_encrypted_with_the_published_key_can_still_be_read(self, tmp_path, run_python):
        script = (
            "import django; django.setup(); from django.conf import settings; from config.lib import crypto;"
            "keys = settings.FIELD_ENCRYPTION_KEYS; settings.FIELD_ENCRYPTION_KEYS = keys[1:];"
            "old = crypto.encrypt('token', context='row'); settings.FIELD_ENCRYPTION_KEYS = keys;"
            "new = crypto.encrypt('token', context='row');"
            "print(crypto.decrypt(old, context='row'), old[:11] == new[:11])"
        )

        ended = run_python(
            "-c", script, APP_ENV="test", DATA_DIR=str(tmp_path), DJANGO_SETTINGS_MODULE="config.settings"
        )

        assert ended.stdout == "token False\n", ended.stderr
