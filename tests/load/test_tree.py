from pathlib import Path

from config.lib.roles import ROLES
from tests.load.tree import NOT_STARTED, PRESENT, Tree

# As revisions before the webhook had an application of its own wrote it, shortened.
_PROCFILE = """
# comment
web: exec granian --port ${API_PORT:-8080} config.asgi:application
webhook: DATABASE_TIMEOUT=2000 exec granian --port ${WEBHOOK_PORT:-3000} config.asgi:application
live: exec granian --backpressure $((${LIVE_MAX_STREAMS:-5000} + 500)) config.live:application
worker: exec nice -n 5 celery -A config worker -Q ${WORKER_QUEUES:-messages.0,messages.1} --pool threads
beat: mkdir -p "${DATA_DIR:-.data}" && exec celery -A config beat --pidfile= --loglevel warning
sweeper: exec python manage.py sweep
"""


def old_tree(tmp_path):
    (tmp_path / "Procfile").write_text(_PROCFILE)
    return Tree("c4e98dc", tmp_path, tmp_path / ".venv" / "bin")


def test_processes_of_an_old_revision_are_read_from_its_own_procfile(tmp_path):
    commands = old_tree(tmp_path).commands()

    assert list(commands) == ["webhook", "worker-1", "worker-2", "beat", "sweeper"]
    assert commands["webhook"][-1].endswith(
        "exec granian --port ${WEBHOOK_PORT:-3000} config.asgi:application"
    )
    assert commands["worker-1"][-1] == commands["worker-2"][-1]


def test_health_report_of_an_old_revision_expects_its_own_roles(tmp_path):
    assert old_tree(tmp_path).roles() == ["webhook", "worker", "beat", "sweeper"]


def test_interpreter_of_a_revision_is_that_of_its_own_virtual_environment(tmp_path):
    assert Path(old_tree(tmp_path).python) == tmp_path / ".venv" / "bin" / "python"


def test_present_tree_starts_every_role_but_those_that_answer_no_messages():
    assert set(PRESENT.roles()) == set(ROLES) - NOT_STARTED
    assert Path(PRESENT.python).exists()
