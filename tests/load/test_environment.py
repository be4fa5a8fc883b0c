from pathlib import Path

from tests.load import environment
from tests.load.tree import PRESENT, Tree


def test_variables_of_the_shell_do_not_reach_the_measured_system(monkeypatch):
    for name in ("WORKER_CONCURRENCY", "REPLY_DEBOUNCE_MAX", "PYTHONPATH", "VIRTUAL_ENV", "HEALTH_ROLES"):
        monkeypatch.setenv(name, "of the shell")

    assert "of the shell" not in environment.of(PRESENT, Path("/data"), {}).values()


def test_programs_of_the_measured_revision_come_first_on_the_path():
    tree = Tree("c4e98dc", PRESENT.root, Path("/elsewhere/.venv/bin"))

    assert environment.of(tree, Path("/data"), {})["PATH"].startswith("/elsewhere/.venv/bin:")


def test_each_system_has_ports_and_secrets_of_its_own():
    first, second = (environment.of(PRESENT, Path("/data"), {}) for _ in range(2))

    for name in ("WEBHOOK_PORT", "WEBHOOK_SECRET", "FIELD_ENCRYPTION_KEY", "DJANGO_SECRET_KEY"):
        assert first[name] != second[name]


def test_variables_given_for_the_run_come_last():
    assert environment.of(PRESENT, Path("/data"), {"LOG_LEVEL": "info"})["LOG_LEVEL"] == "info"
