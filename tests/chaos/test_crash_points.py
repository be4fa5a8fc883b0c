"""
One test for each point where a process may die, P0 to P22 of documentation/architecture.md.

A customer writes message after message, the process dies at the third, and is started again. Whatever the
point: no message lost, none answered twice or out of turn, one charge each (`Line.check`).
"""

import contextlib
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from config.lib import jobs
from config.lib.jobs import Job
from tests.chaos import run
from tests.rig import wait_until

pytestmark = pytest.mark.long

LONG_TEXT = "All of this is said at length. " * 300


@pytest.fixture
def quiet_channel(simulator) -> None:
    """A channel that tells nothing of what became of a message, so that what is unknown stays so."""
    simulator.behave(statuses=False)


@pytest.mark.usefixtures("quiet_channel")
class TestWebhook:
    """Meta hears no 200 and tells it again; or the 200 was honest."""

    @pytest.mark.parametrize("point", ["P0", "P1", "P2"])
    def test_that_dies(self, stage, point):
        stage.set(webhook=f"{point}=kill@3")
        line = stage.line()

        with stage.supervised("webhook") as deaths:
            line.talk(2)
            line.write(4)
            line.check()

        assert deaths == ["webhook"]
        assert line.business.count("inbound_messages") == 6


@pytest.mark.usefixtures("quiet_channel")
class TestRing:
    def test_that_redis_forgets_is_rung_again_p3(self, stage):
        stage.set()
        stage.without("worker")
        line = stage.line()
        for customer in range(8):
            line.write(customer=customer)
        client = redis.Redis.from_url(stage.rig.servers.redis_url)
        queue = jobs.queue(Job.DRAIN, {"phone_number_id": line.number})
        wait_until(lambda: client.llen(queue), what="a ring")

        stage.rig.servers.valkey.kill()
        stage.rig.servers.valkey.start()
        run.empty_redis(stage.rig)
        stage.set()

        assert line.check().fates == {"answered": 8}

    def test_that_a_worker_took_with_it_is_rung_again_p4(self, stage):
        line = stage.line()
        stage.set(worker=f"P4=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            # Rings that wait together are one.
            for _ in range(60):
                line.write()
                time.sleep(0.7)
                if deaths:
                    break
            line.write(3)
            line.check()

        assert deaths == ["worker"]

    def test_that_comes_twenty_times_starts_no_second_answer_p5(self, stage):
        stage.set("worker2")
        line = stage.line()

        for customer in range(6):
            line.write(customer=customer)
            for _ in range(20):
                jobs.ring_now(Job.DRAIN, phone_number_id=line.number)
        line.write(2)

        assert line.check().fates == {"answered": 8}


@pytest.mark.usefixtures("quiet_channel")
class TestClaim:
    def test_that_dies_before_it_begins_p6(self, stage):
        line = stage.line()
        stage.set(worker=f"P6=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.write(3)
            time.sleep(0.7)
            line.talk(3)
            line.check()

        assert deaths == ["worker"]

    def test_that_dies_after_the_charge_takes_it_back_p21(self, stage):
        line = stage.line()
        stage.set(worker=f"P21=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.talk(1)
            line.write(3)
            line.check()

        assert deaths == ["worker"]
        assert line.lines(third) == [("charge", -1)]
        assert line.turn(third)["attempts"] == 0

    def test_needs_no_lock_in_redis_p17(self, stage):
        stage.set("worker2")
        line = stage.line()
        client = redis.Redis.from_url(stage.rig.servers.redis_url)
        stop = threading.Event()

        def forget() -> None:
            while not stop.wait(0.002):
                for key in client.keys("*lock:phone:*"):
                    client.delete(key)

        with ThreadPoolExecutor(11) as pool:
            forgetting = pool.submit(forget)
            list(pool.map(lambda customer: line.write(4, customer=customer), range(10)))
            with contextlib.suppress(AssertionError):
                line.wait()
            stop.set()
            forgetting.result()

        assert line.check().fates == {"answered": 40}


@pytest.mark.usefixtures("quiet_channel")
class TestModel:
    def test_that_was_not_asked_yet_is_asked_by_the_next_holder_p7(self, stage):
        line = stage.line()
        stage.set(worker=f"P7=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            line.write(3)
            line.check()

        assert deaths == ["worker"]
        assert line.turn(third)["attempts"] == 1
        assert line.lines(third) == [("charge", -1)]

    def test_whose_answer_died_with_the_worker_is_not_paid_twice_p8(self, stage):
        line = stage.line()
        stage.set(worker=f"P8=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.talk(1)
            line.talk(2)
            line.write(2)
            line.check()

        assert deaths == ["worker"]
        assert line.asks(third) == 1
        assert line.turn(third)["attempts"] == 1
        assert line.lines(third) == [("charge", -1)]
        assert line.posts(third) == 1

    def test_whose_answer_died_while_the_customer_wrote_on_answers_all_of_it_p8(self, stage):
        line = stage.line()
        stage.set(worker=f"P8=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            line.write(3)
            line.check()

        assert line.lines(third) == [("charge", -1)]
        assert line.posts(third) == 1


@pytest.mark.usefixtures("quiet_channel")
class TestReply:
    def test_that_was_stored_is_sent_by_the_next_holder_without_the_model_p9(self, stage):
        line = stage.line()
        stage.set(worker=f"P9=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            line.write(3)
            line.check()

        assert deaths == ["worker"]
        assert (line.asks(third), line.posts(third), line.states(third)) == (1, 1, ["sent"])
        assert line.turn(third)["attempts"] == 0

    def test_that_was_about_to_be_sent_is_unknown_and_never_repeated_p10(self, stage):
        line = stage.line()
        stage.set(worker=f"P10=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            rest = line.write(3)
            report = line.check()

        assert deaths == ["worker"]
        assert (line.posts(third), line.states(third)) == (0, ["unknown"])
        assert line.lines(third) == [("charge", -1)]
        assert {state for token in rest for state in line.states(token)} == {"sent"}
        assert report.fates == {"answered": 5, "unknown": 1}

    def test_that_was_sent_is_unknown_where_the_answer_was_not_stored_p11(self, stage):
        line = stage.line()
        stage.set(worker=f"P11=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            line.write(3)
            report = line.check()

        assert (line.posts(third), line.states(third)) == (1, ["unknown"])
        assert report.fates == {"answered": 5, "unknown": 1}

    def test_in_parts_goes_on_with_the_next_part_p13(self, stage):
        line = stage.line()
        stage.set(worker=f"P13=kill@1~{line.number}")
        stage.rig.simulator.behave(openai={"script": [{"text": f"<0-0-2> {LONG_TEXT}", "match": "<0-0-2>"}]})

        with stage.supervised("worker") as deaths:
            line.talk(2)
            [third] = line.write()
            wait_until(lambda: deaths, what="the death")
            line.write(3)
            line.check()

        assert deaths == ["worker"]
        assert line.states(third) == ["sent"] * 3
        assert (line.asks(third), line.posts(third)) == (1, 3)


class TestProof:
    """A channel that says what became of a message proves what no worker lived to see."""

    def test_that_it_was_sent_comes_with_a_status_p11(self, stage):
        line = stage.line()
        stage.set(worker=f"P11=kill@3~{line.number}")

        with stage.supervised("worker"):
            line.talk(2)
            [third] = line.write()
            line.write(3)
            line.check()
            wait_until(lambda: line.states(third) == ["read"], what="the proof")

        assert line.posts(third) == 1
        assert line.check().fates == {"answered": 6}

    def test_that_it_was_taken_although_nobody_said_so_comes_with_a_status_p12(self, stage):
        line = stage.line()
        stage.set()
        stage.rig.simulator.behave(graph={"script": [{"match": "<0-0-2>", "drop_after_accept": True}]})

        line.talk(2)
        [third] = line.talk(1)
        line.write(3)
        line.check()
        wait_until(lambda: line.states(third) == ["read"], what="the proof")

        assert line.posts(third) == 1
        assert line.check().fates == {"answered": 6}


@pytest.mark.usefixtures("quiet_channel")
class TestFrozenHolder:
    """It wakes up when somebody else has long gone on with its turn."""

    def test_that_has_an_answer_changes_nothing_p14(self, stage):
        line = stage.line()
        stage.set(worker=f"P8=stop@2~{line.number}")
        line.talk(1)
        [second] = line.write()
        wait_until(lambda: stage.is_frozen("worker"), what="the frost")

        stage.join("worker2")
        line.wait()
        line.write(1)
        stage.wake("worker")
        time.sleep(1)
        line.talk(2)

        assert line.check().fates == {"answered": 5}
        assert (line.posts(second), line.lines(second)) == (1, [("charge", -1)])

    def test_that_was_about_to_send_sends_at_most_once_p14(self, stage):
        line = stage.line()
        stage.set(worker=f"P10=stop@2~{line.number}")
        line.talk(1)
        [second] = line.write()
        wait_until(lambda: stage.is_frozen("worker"), what="the frost")

        stage.join("worker2")
        line.wait()
        assert line.states(second) == ["unknown"]
        stage.wake("worker")
        time.sleep(1)
        line.talk(3)

        line.check()
        assert line.posts(second) <= 1
        assert line.lines(second) == [("charge", -1)]

    def test_that_was_about_to_send_sends_nothing_behind_newer_replies_p14(self, stage):
        line = stage.line()
        stage.set(worker=f"P10=stop@2~{line.number}")
        line.talk(1)
        [second] = line.write()
        wait_until(lambda: stage.is_frozen("worker"), what="the frost")

        stage.join("worker2")
        line.wait()
        line.talk(2)
        stage.wake("worker")
        time.sleep(1.5)

        assert line.check().fates == {"answered": 3, "unknown": 1}
        assert line.posts(second) == 0


@pytest.mark.usefixtures("quiet_channel")
class TestLetGo:
    def test_of_a_holder_that_finds_nothing_left_overlooks_nothing_p15(self, stage):
        line = stage.line()
        stage.set(worker=f"P15=sleep:0.4~{line.number}")
        stage.without("sweeper")

        for customer in range(5):
            line.write(customer=customer)
        for _ in range(4):
            answered = len(line.business.replies())
            line.write()
            wait_until(lambda: len(line.business.replies()) > answered, what="the reply")  # noqa: B023
            line.write(customer=1)

        assert line.check().accepted == 13

    def test_of_a_holder_that_dies_there_costs_nothing_p15(self, stage):
        line = stage.line()
        stage.set(worker=f"P15=kill@3~{line.number}")

        with stage.supervised("worker") as deaths:
            line.talk(3)
            line.write(3)
            line.check()

        assert deaths == ["worker"]


class TestPostgres:
    def test_that_dies_in_the_middle_of_commits_p16(self, stage):
        stage.set("worker2")
        stage.rig.simulator.behave(graph={"latency": 0.1})
        line = stage.line()

        with ThreadPoolExecutor(12) as pool:
            writing = [pool.submit(self._write, line, customer) for customer in range(12)]
            for _ in range(3):
                time.sleep(0.7)
                stage.rig.servers.postgres.kill()
                stage.rig.servers.postgres.start()
            for written in writing:
                written.result()

        assert line.check().accepted == 72

    def _write(self, line, customer: int) -> None:
        for _ in range(6):
            line.write(customer=customer)
            time.sleep(0.4)


@pytest.mark.usefixtures("quiet_channel")
class TestSweeper:
    def test_that_dies_is_followed_by_another_p18(self, stage):
        stage.set()
        stage.without("worker")
        line = stage.line()
        stage.elect_anew(sweeper="P18=kill@1")
        stage.join("sweeper2")

        line.write(2)
        assert stage.rig.wait_for_end("sweeper") == -signal.SIGKILL
        stage.rig.forget_redis()
        stage.join("worker")
        line.wait()
        line.talk(1)

        assert line.check().fates == {"answered": 3}

    def test_that_dies_while_it_empties_the_spool_stores_nothing_twice_p19(self, stage):
        line = stage.line()
        stage.set()
        line.talk(1)
        stage.elect_anew(sweeper="P19=kill@1")

        with stage.supervised("sweeper") as deaths:
            stage.rig.servers.postgres.kill()
            try:
                line.write(4)
                line.write(1, customer=1)
            finally:
                stage.rig.servers.postgres.start()
            line.write(1)
            line.check()

        assert "sweeper" in deaths
        assert line.business.count("inbound_messages") == 7


@pytest.mark.usefixtures("quiet_channel")
class TestPoison:
    def test_costs_three_workers_their_life_and_its_neighbours_nothing_p20(self, stage):
        poisoned, neighbour = stage.line(), stage.line()
        poison = f"P8=kill~{poisoned.number}"
        stage.set(worker=poison, extractor=poison)

        with stage.supervised("worker", "extractor", FAILPOINTS=poison) as deaths:
            [poisonous] = poisoned.write()
            while not (deaths.count("worker") >= 2 and poisoned.business.is_quiet()):
                neighbour.write(customer=len(neighbour.meta.accepted) % 5)
                time.sleep(0.3)
                assert len(neighbour.meta.accepted) < 200, deaths
            neighbour.check()
            poisoned.wait()

        assert (deaths.count("worker"), deaths.count("extractor")) == (2, 1)
        turn = poisoned.turn(poisonous)
        assert (turn["state"], turn["attempts"]) == ("failed", 3)
        assert poisoned.lines(poisonous) == [("charge", -1), ("refund", 1)]
        assert poisoned.business.replies() == ["Sorry, later."]
        stage.set()
        poisoned.talk(1)
        assert poisoned.check().fates == {"fallback": 1, "answered": 1}


@pytest.mark.usefixtures("quiet_channel")
class TestDeploy:
    def test_in_the_middle_of_a_call_hands_the_turn_over_p22(self, stage):
        stage.set()
        stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-1>", "delay": 20}]})
        line = stage.line()
        line.talk(1)
        [second] = line.write()
        wait_until(lambda: stage.rig.simulator.requests(api="openai", contains=second), what="the call")

        stage.rig.signal("worker", signal.SIGTERM)
        returned = stage.rig.wait_for_end("worker")
        left = line.turn(second)
        stage.set("worker2")
        line.wait()
        line.talk(2)

        assert returned == 0
        assert (left["state"], left["lease_token"]) == ("claimed", None)
        assert line.check().fates == {"answered": 4}
        assert line.turn(second)["attempts"] == 0
        assert (line.asks(second), line.posts(second), line.states(second)) == (1, 1, ["sent"])
