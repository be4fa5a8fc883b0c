"""The circuit breaker, and Redis behind it."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from kombu.exceptions import OperationalError
from redis import RedisError

from config.lib import redis
from config.lib.breaker import Breaker


@pytest.fixture
def breaker(clock, monkeypatch) -> Breaker:
    monkeypatch.setattr("config.lib.breaker.time", clock)
    return Breaker("test", failures=3, window=10, pause=5)


def fail(breaker: Breaker, times: int = 3) -> None:
    for _ in range(times):
        breaker.failed()


class TestBreaker:
    def test_is_closed_at_first(self, breaker):
        assert breaker.allows()
        assert not breaker.is_open

    def test_opens_at_the_third_failure(self, breaker):
        fail(breaker, 2)
        assert breaker.allows()

        breaker.failed()

        assert breaker.is_open
        assert not breaker.allows()

    def test_stays_closed_when_failures_are_far_between(self, breaker, clock):
        for _ in range(10):
            breaker.failed()
            clock.now += 6

        assert breaker.allows()

    def test_forgets_failures_when_a_call_succeeds(self, breaker):
        fail(breaker, 2)
        breaker.succeeded()
        fail(breaker, 2)

        assert breaker.allows()

    def test_lets_one_probe_through_each_pause(self, breaker, clock):
        fail(breaker)
        seen = []

        for _ in range(3):
            clock.now += 5
            seen += [breaker.allows(), breaker.allows()]

        assert seen == [True, False] * 3

    def test_lets_nothing_through_before_the_pause_is_over(self, breaker, clock):
        fail(breaker)

        clock.now += 4.9

        assert not breaker.allows()

    def test_stays_open_when_the_probe_fails(self, breaker, clock):
        fail(breaker)
        clock.now += 5
        breaker.allows()

        breaker.failed()
        clock.now += 4.9

        assert not breaker.allows()

    def test_closes_when_the_probe_succeeds(self, breaker, clock):
        fail(breaker)
        clock.now += 5
        breaker.allows()

        breaker.succeeded()

        assert [breaker.is_open, breaker.allows(), breaker.allows()] == [False, True, True]

    def test_starts_counting_anew_after_it_closed(self, breaker):
        fail(breaker)
        breaker.succeeded()
        fail(breaker, 2)

        assert breaker.allows()

    def test_lets_one_of_many_threads_probe(self, breaker, clock):
        fail(breaker)
        clock.now += 5
        ready = threading.Barrier(16)

        def ask(_: int) -> bool:
            ready.wait(60)
            return breaker.allows()

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(ask, range(16))) == 1

    def test_says_once_when_it_opens_and_closes(self, breaker, caplog):
        fail(breaker, 5)
        breaker.succeeded()
        breaker.succeeded()

        assert caplog.text.count("breaker.opened") == caplog.text.count("breaker.closed") == 1


class TestRedisCall:
    @pytest.fixture(autouse=True)
    def _own_breaker(self, breaker, monkeypatch):
        monkeypatch.setattr(redis, "breaker", breaker)

    @pytest.mark.parametrize("error", [RedisError, OperationalError, OSError, TimeoutError])
    def test_turns_every_way_redis_can_be_away_into_one_error(self, error):
        def broken() -> None:
            raise error

        with pytest.raises(redis.RedisUnavailableError):
            redis.call(broken)

    def test_does_not_touch_redis_while_the_breaker_is_open(self, breaker):
        fail(breaker)
        calls = []

        with pytest.raises(redis.RedisUnavailableError):
            redis.call(calls.append, 1)

        assert calls == []

    def test_leaves_other_errors_alone(self, breaker):
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                redis.call(lambda: 1 / 0)

        assert not breaker.is_open

    def test_opens_the_breaker_when_redis_is_down_and_closes_it_when_it_is_back(
        self, servers, breaker, clock
    ):
        servers.valkey.kill()
        try:
            for _ in range(3):
                with pytest.raises(redis.RedisUnavailableError):
                    redis.call(redis.client().ping)
            was_open = breaker.is_open
        finally:
            servers.valkey.start()
        clock.now += 5

        assert redis.call(redis.client().ping)
        assert [was_open, breaker.is_open] == [True, False]
