"""How far a job came is kept in Redis, and is no truth."""

from config.lib import progress, redis


def test_key_is_kept_for_the_next_run_and_not_for_ever(valkey):
    before = progress.read("job")
    progress.note("job", "a")
    first = valkey.ttl("progress:job")
    valkey.expire("progress:job", 100)
    progress.note("job", "b")

    assert (before, progress.read("job")) == ("", "b")
    assert first > 1000
    assert valkey.ttl("progress:job") <= 100


def test_without_redis_a_job_begins_anew(valkey):
    progress.note("job", "a")
    for _ in range(3):
        redis.breaker.failed()

    progress.note("job", "b")
    found = progress.read("job")
    redis.breaker.succeeded()

    assert found == ""
    assert progress.read("job") == "a"
