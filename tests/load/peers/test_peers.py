"""The services that ours is compared with do the job: every message is answered once and charged once."""

import pytest

from config.embedded.errors import StartError
from tests.load import report
from tests.load.bench import Bench
from tests.load.journal import Journal
from tests.load.peers import peer, venv
from tests.load.system import running_system

_NUMBERS = 3
_MESSAGES = 10


@pytest.fixture(scope="module")
def peers():
    try:
        return {each.name: each for each in peer.all_of_them()}
    except StartError as error:
        pytest.skip(f"The libraries of the compared services cannot be installed: {error}")


@pytest.mark.long
@pytest.mark.parametrize("name", ["procrastinate", "celery"])
def test_compared_service_answers_and_charges_each_message_once(name, peers, tmp_path):
    def prepare(system):
        with system.database() as database:
            peers[name].prepare(database, _NUMBERS)

    with running_system(peers[name], peer.variables(10), prepare, keep_logs=tmp_path) as system:
        bench = Bench(system, Journal(system.simulator_url), _NUMBERS, profile=None)
        # At once: every fourth customer writes a second time before the first reply.
        measured = bench.post(rate=0, count=_MESSAGES)
        with system.database() as database:
            [books] = database.execute(
                "SELECT (SELECT count(*) FROM charges) AS charges, sum(1000000 - credits) AS taken,"
                " (SELECT count(*) FROM messages WHERE status = 'read') AS read_by_customers FROM businesses"
            ).fetchall()
        complaints = system.complaints()

    assert report.faults(measured) == {}
    assert (measured["answered"], measured["replies"]) == (_MESSAGES, _MESSAGES)
    assert books == {"charges": _MESSAGES, "taken": _MESSAGES, "read_by_customers": _MESSAGES}
    assert complaints == {}


def test_libraries_that_cannot_be_installed_are_reported_with_the_reason(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("celery\n")

    with pytest.raises(StartError, match="hash"):
        venv.binaries(requirements, parent=tmp_path)
