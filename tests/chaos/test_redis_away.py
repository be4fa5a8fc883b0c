"""Redis dies, hangs up, forgets and freezes, and workers with it: rings get lost, and nothing else does."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random

import pytest
import redis

from config.lib import jobs
from config.lib import redis as our_redis
from config.lib.jobs import Job
from tests.chaos import run
from tests.chaos.stage import ENVIRONMENT
from tests.rig import wait_until

# Minutes of restarts: `make chaos` runs them.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet_channel(simulator) -> None:
    simulator.behave(statuses=False)


def ring(line) -> None:
    """Ring for a line from here, until Redis takes it."""
    our_redis.breaker.succeeded()

    def is_rung() -> bool:
        try:
            jobs.ring_now(Job.DRAIN, phone_number_id=line.number)
        except our_redis.RedisUnavailableError:
            our_redis.breaker.succeeded()
            return False
        return True

    wait_until(is_rung, what="the ring")


class TestIdleWorkers:
    @pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.slow)])
    def test_take_work_again_each_time_redis_comes_back_c01(self, stage, times):
        stage.set()
        stage.without("sweeper")
        pids = [stage.rig.pid(name) for name in ("worker", "extractor")]
        line, dice = stage.line(), Random(times)
        line.talk(1)

        for _ in range(times):
            stage.rig.servers.valkey.kill()
            time.sleep(dice.uniform(0.1, 3))
            stage.rig.servers.valkey.start()
            answered = len(line.business.replies())
            line.write()
            time.sleep(0.4)  # the quiet window
            ring(line)
            wait_until(
                lambda: len(line.business.replies()) > answered,  # noqa: B023  (called at once)
                seconds=8,
                what="a worker that works again",
            )

        assert [stage.rig.pid(name) for name in ("worker", "extractor")] == pids
        assert stage.rig.is_running("worker")
        assert stage.rig.is_running("extractor")
        line.check()


class TestBusyWorker:
    """Its task is running when its connection goes: it is run once, and to the end."""

    def _think(self, stage):
        """Have a worker wait for the model."""
        stage.set()
        line = stage.line()
        stage.rig.simulator.behave(openai={"script": [{"match": "<0-0-1>", "delay": 4}]})
        line.talk(1)
        [token] = line.write()
        wait_until(lambda: stage.rig.simulator.requests(api="openai", contains=token), what="the call")
        return line, token, stage.rig.pid("worker")

    def test_outlives_redis_c02(self, stage):
        line, token, pid = self._think(stage)

        stage.rig.servers.valkey.kill()
        time.sleep(2)
        stage.rig.servers.valkey.start()
        line.wait()
        line.talk(2)

        assert stage.rig.is_running("worker")
        assert stage.rig.pid("worker") == pid
        assert (line.asks(token), line.posts(token)) == (1, 1)
        assert line.check().fates == {"answered": 4}

    def test_outlives_its_connections_c03(self, stage):
        line, token, pid = self._think(stage)
        client = redis.Redis.from_url(stage.rig.servers.redis_url)

        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        line.wait()
        line.talk(2)

        assert stage.rig.is_running("worker")
        assert stage.rig.pid("worker") == pid
        assert (line.asks(token), line.posts(token)) == (1, 1)
        assert line.check().fates == {"answered": 4}

    def test_that_took_a_ring_and_was_frozen_and_killed_loses_only_the_ring_c09(self, stage):
        stage.set()
        line = stage.line()
        line.talk(1)

        stage.rig.signal("worker", signal.SIGSTOP)
        line.write(2)
        time.sleep(0.7)
        stage.rig.kill("worker")
        stage.set()

        line.talk(1)
        assert line.check().fates == {"answered": 4}


class TestForgetfulRedis:
    def test_with_many_rings_loses_no_message_c05(self, stage):
        stage.set()
        stage.without("worker")
        lines = [stage.line() for _ in range(10)]
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda line: [line.write(customer=customer) for customer in range(10)], lines))

        stage.rig.servers.valkey.kill()
        stage.rig.servers.valkey.start()
        run.empty_redis(stage.rig)
        stage.set()

        for line in lines:
            assert line.check().fates == {"answered": 10}

    def test_under_load_changes_no_balance_and_loses_no_message_c06(self, stage):
        stage.set("worker2")
        line = stage.line()
        client = redis.Redis.from_url(stage.rig.servers.redis_url)

        with ThreadPoolExecutor(10) as pool:
            writing = [pool.submit(self._write, line, customer) for customer in range(10)]
            while not all(written.done() for written in writing):
                client.flushall()
                time.sleep(0.05)

        assert line.check().fates == {"answered": 50}

    def _write(self, line, customer: int) -> None:
        for _ in range(5):
            line.write(customer=customer)
            time.sleep(0.3)


class TestFrozenRedis:
    @pytest.mark.slow
    def test_holds_up_neither_webhooks_nor_replies_c04(self, stage):
        stage.set()
        stage.rig.have("webhook", "worker", "extractor", "sweeper", **ENVIRONMENT, REDIS_TIMEOUT_MS="500")
        line = stage.line()
        line.talk(1)
        took = []

        valkey = stage.rig.servers.valkey.process
        valkey.send_signal(signal.SIGSTOP)
        try:
            for customer in count(1):
                started = time.monotonic()
                line.write(customer=customer)
                took.append(time.monotonic() - started)
                if customer == 60:
                    break
                time.sleep(0.3)
            wait_until(lambda: len(line.business.replies()) > 30, what="replies without Redis")
        finally:
            valkey.send_signal(signal.SIGCONT)

        assert took[0] < 3
        assert sorted(took)[len(took) // 2] < 0.25
        line.talk(1)
        assert line.check().fates == {"answered": 62}


class TestPatience:
    def test_that_openai_asks_for_holds_up_one_customer_and_no_worker_d04(self, stage):
        stage.set()
        line = stage.line()
        stage.rig.simulator.behave(
            openai={"script": [{"match": "<0-0-0>", "status": 429, "retry_after": 12}]}
        )

        line.write()
        wait_until(lambda: line.business.count("turns", "not_before > now()"), what="the turn that waits")
        line.write(2)
        for customer in range(1, 4):
            line.write(customer=customer)
        wait_until(lambda: len(line.business.replies()) == 3, seconds=6, what="the others' replies")
        assert line.business.replies("12025000000") == []

        assert line.check().fates == {"answered": 6}
