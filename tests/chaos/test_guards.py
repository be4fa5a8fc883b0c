"""What guards a promise even where another guard fails."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from config.lib import jobs
from config.lib.jobs import Job
from conversations.models import Turn
from tests.chaos.stage import ENVIRONMENT
from tests.factories import TurnFactory

pytestmark = pytest.mark.long


class TestPostgres:
    def test_has_every_constraint_and_index_that_a_model_declares(self, db):
        """Altering a field takes away the partial unique indexes on it, and Django does not notice."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT indexname FROM pg_indexes UNION SELECT conname FROM pg_constraint")
            there = {name for (name,) in cursor.fetchall()}
        declared = {
            rule.name
            for model in apps.get_models()
            for rule in (*model._meta.constraints, *model._meta.indexes)
        }

        assert declared - there == set()


class TestUniqueIndex:
    @pytest.mark.parametrize("state", ["claimed", "answered"])
    def test_refuses_a_second_open_turn_of_a_customer(self, db, state):
        turn = TurnFactory(state=state)

        with pytest.raises(IntegrityError, match="turns_one_open_per_customer"), transaction.atomic():
            TurnFactory(conversation=turn.conversation)

    @pytest.mark.parametrize("state", ["done", "failed"])
    def test_lets_the_next_turn_be(self, db, state):
        turn = TurnFactory(state=state, created_at=timezone.now() - timedelta(minutes=1))

        TurnFactory(conversation=turn.conversation)

        assert Turn.objects.filter(customer=turn.customer).count() == 2


class TestClaimLock:
    def test_holds_over_processes_so_that_a_number_has_no_more_turns_than_it_may(self, stage):
        strict = ENVIRONMENT | {"PHONE_NUMBER_CONCURRENCY": "1"}
        stage.set("worker2")
        stage.rig.have("worker", "worker2", "sweeper", **strict)
        stage.rig.simulator.behave(openai={"latency": 0.05}, statuses=False)
        line = stage.line()

        def write(customer: int) -> None:
            line.write(customer=customer)
            for _ in range(5):
                jobs.ring_now(Job.DRAIN, phone_number_id=line.number)

        with ThreadPoolExecutor(10) as pool:
            list(pool.map(write, range(40)))
            while not line.business.is_quiet():
                jobs.ring_now(Job.DRAIN, phone_number_id=line.number)
        line.check()

        turns = stage.rig.rows(
            "SELECT turn_id, created_at, closed_at FROM turns WHERE phone_number_id = %s ORDER BY created_at",
            line.number,
        )
        overlapping = [
            (before["turn_id"], after["turn_id"])
            for before, after in pairwise(turns)
            if before["closed_at"] > after["created_at"]
        ]
        assert overlapping == []


class TestSpool:
    def test_is_overtaken_by_nothing_although_postgres_is_back(self, stage):
        stage.set()
        line = stage.line()
        line.talk(1)
        stage.without("sweeper")

        stage.rig.servers.postgres.kill()
        try:
            line.write(2)
        finally:
            stage.rig.servers.postgres.start()
        time.sleep(1.5)  # the webhook tries Postgres again after a second
        line.write(2)
        assert line.business.count("inbound_messages") == 1
        stage.set()

        assert line.check().fates == {"answered": 5}


class TestLease:
    def test_is_kept_by_a_holder_who_lives_however_long_the_call_takes(self, stage):
        stage.set("worker2")
        stage.rig.have("worker", "worker2", "sweeper", **ENVIRONMENT | {"OPENAI_TIMEOUT": "60000"})
        takes = 2.5 * int(ENVIRONMENT["TURN_LEASE"]) / 1000
        stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-0>", "delay": takes}]})
        line = stage.line()

        [first] = line.talk(1)
        line.talk(1)

        assert line.check().fates == {"answered": 2}
        assert line.turn(first)["attempts"] == 0
        assert (line.asks(first), line.posts(first)) == (1, 1)
