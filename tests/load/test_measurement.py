"""A small load on the real system: every message is answered, and the judge finds nothing wrong."""

import os

import pytest

from tests import environment
from tests.load import businesses, measurement, report
from tests.load.bench import Bench
from tests.load.journal import Journal
from tests.load.pictures import PICTURE
from tests.load.system import System
from tests.load.tree import PRESENT

pytestmark = pytest.mark.long

_ANSWERING = ("worker", "sweeper")


@pytest.fixture
def bench(rig, settings, tmp_path, monkeypatch):
    """The tests' system in place of the benchmark's, with three businesses."""
    # Work that another test has left is never finished.
    monkeypatch.setattr(measurement, "_STUCK_SECONDS", 10)
    variables = dict(os.environ) | {"DATABASE_URL": rig.servers.database_url}
    pids = {name: rig._processes[name].pid for name in ("webhook", *_ANSWERING, "simulator")}
    system = System(PRESENT, tmp_path, variables, pids)
    with system.database() as database:
        [key, *_] = settings.FIELD_ENCRYPTION_KEYS
        if not database.execute("SELECT 1 FROM users WHERE email = 'bench00000@example.com'").fetchone():
            businesses.insert(database, key, [0, 0, 1])
    system.note_last_rows()
    journal = Journal(environment.SIMULATOR_URL)
    journal.skip()
    return Bench(system, journal, numbers=3, profile=None)


def test_posted_messages_are_answered_and_judged_right(bench):
    PICTURE.register(environment.SIMULATOR_URL)

    alone = bench.post(rate=20, count=20, picture_every=5)
    backlog = bench.load(rate=0, count=20, numbers=2)
    trickle = bench.load(rate=10, count=5, first_number=2, numbers=1, known_from=bench.customers)
    both = bench.post_behind(backlog, trickle)

    for measured in (alone, both):
        assert {name for name in report.faults(measured) if name != "left"} == set()
        assert measured["usage"]["cpu_seconds"]["worker"] > 0
    assert alone["answered"] == 20
    assert alone["added_ms_of_pictures"]["p50"] > 0
    assert alone["requests"]["status webhooks"] >= 20
    assert [load["answered"] for load in both["loads"]] == [20, 5]


def test_nothing_is_answered_while_answering_is_paused(bench, rig):
    waiting = "SELECT count(*) AS n FROM inbound_messages WHERE phone_number_id = %s AND status = 'pending'"
    load = bench.load(rate=0, count=8, numbers=1)

    with bench.system.answering_paused(), measurement._generator(bench.system, load) as generator:
        outcome = measurement._finished(generator, bench.system)
        number = load.number_of(0).phone_number_id
        assert rig.rows(waiting, number) == [{"n": 8}]

    assert outcome["statuses"] == [200] * 8
    measurement._wait_until_quiet(bench.system)
    assert rig.rows(waiting, number) == [{"n": 0}]
