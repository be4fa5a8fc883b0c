"""
Chaos: customers write while workers, Redis and Postgres die and the model fails; then the history is judged.

    python -m tests.chaos.run [--seed N] [--messages N] [--short]

It starts everything it needs, on 127.0.0.1, and ends with 1 if a promise was broken.
"""

# Speaks before Django reads its settings.
from tests import environment

# isort: split
import argparse
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import SystemRandom

import psycopg
import redis

from channels_app import spool
from config.embedded.servers import temporary_servers
from tests.chaos import history, records
from tests.chaos.traffic import Fault, Meta, Plan
from tests.rig import Business, Rig, wait_until

# What every process is told on top of tests/environment.py.
ENVIRONMENT = {
    "OPENAI_TIMEOUT": "4000",
    "REPLY_BUDGET": "1000",
    # A turn must not end for lack of time only because this machine is busy.
    "TURN_DEADLINE": "120000",
}
MODEL = {"latency": {"mean": 0.4, "spread": 0.15}, "errors": {"500": 0.1}, "hang": 0.02, "hang_seconds": 8}
# Slow enough for a worker to die while it sends.
GRAPH = {"latency": {"mean": 0.2, "spread": 0.1}}
WORKERS = ("worker", "worker2")
PROCESSES = ("webhook", "extractor", "sweeper", "sweeper2", *WORKERS)
CREDITS = 100_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens, and what breaks."""

    messages: int
    numbers: int
    customers: int
    seconds: float
    faults: tuple[str, ...]


LONG = Size(2000, 50, 8, 100, ("worker", "worker2", "worker", "worker2", "worker", "redis", "postgres"))
SHORT = Size(300, 10, 6, 20, ("worker", "worker2", "redis", "postgres"))


def run(rig: Rig, *, seed: int, size: Size, say: Callable[[str], None]) -> history.Report:
    """Let a planned history happen, wait until nothing moves any more, and judge it."""
    plan = Plan.make(
        seed,
        messages=size.messages,
        numbers=size.numbers,
        customers=size.customers,
        seconds=size.seconds,
        faults=list(size.faults),
    )
    say(f"seed {seed}: {plan.messages} messages in {len(plan.webhooks)} webhooks over {size.seconds:.0f} s")
    for fault in plan.faults:
        say(f"  {fault.at:5.1f} s  {fault.what} dies for {fault.seconds:.1f} s")
    rig.simulator.behave(seed=seed, openai=MODEL, graph=GRAPH)
    rig.have("webhook", **ENVIRONMENT)
    rig.have(*PROCESSES, **ENVIRONMENT)
    businesses = [rig.business(credits=CREDITS) for _ in range(size.numbers)]
    meta = Meta(businesses)
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(meta.post_all, plan.webhooks)
        _break(rig, plan.faults)
        posting.result()
    say(f"all posted after {time.monotonic() - started:.0f} s: {dict(meta.answers)}")
    assert not meta.given_up, f"{len(meta.given_up)} webhooks were never answered 200"
    is_quiet = wait_until_quiet(rig, businesses, seconds=60 + size.messages / 10)
    say(f"{'quiet' if is_quiet else 'NOT QUIET'} after {time.monotonic() - started:.0f} s")
    return history.check(records.collect(rig, businesses, meta.accepted))


def _break(rig: Rig, faults: list[Fault]) -> None:
    """
    Break what was planned, when it was planned, and mend it.

    In the main thread: Postgres and Redis end with the thread that started them.
    """
    start = time.monotonic()
    for fault in faults:
        time.sleep(max(0.0, start + fault.at - time.monotonic()))
        if fault.what in WORKERS:
            rig.kill(fault.what)
            time.sleep(fault.seconds)
            rig.start(fault.what, **ENVIRONMENT)
        else:
            server = rig.servers.postgres if fault.what == "postgres" else rig.servers.valkey
            server.kill()
            time.sleep(fault.seconds)
            server.start()
            if fault.what == "redis":
                empty_redis(rig)


# The spool is a promise, which needs Redis's file to survive; everything else in Redis may go at any time.
_EMPTY_UNLESS_SPOOLED = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('FLUSHALL')
return 1
"""


def empty_redis(rig: Rig) -> None:
    """Empty Redis, as a restart without its file does, as soon as nothing is spooled in it."""
    client = redis.Redis.from_url(rig.servers.redis_url)
    wait_until(lambda: client.eval(_EMPTY_UNLESS_SPOOLED, 1, spool.KEY), what="an empty spool")


_MOVING = """
    SELECT (SELECT count(*) FROM inbound_messages
             WHERE phone_number_id = ANY(%(numbers)s) AND status IN ('pending', 'processing'))
         + (SELECT count(*) FROM turns
             WHERE phone_number_id = ANY(%(numbers)s) AND state IN ('claimed', 'answered'))
         + (SELECT count(*) FROM deliveries
             WHERE phone_number_id = ANY(%(numbers)s) AND state IN ('pending', 'sending'))
         + (SELECT count(*) FROM channel_events
             WHERE phone_number_id = ANY(%(numbers)s) AND applied_at IS NULL
               AND received_at > now() - interval '10 seconds') AS moving
"""


def wait_until_quiet(rig: Rig, businesses: list[Business], *, seconds: float, pause: float = 0.3) -> bool:
    """Wait until nothing waits and nobody works; tell whether that came."""
    numbers = [business.phone_number_id for business in businesses]
    client = redis.Redis.from_url(rig.servers.redis_url)

    def is_quiet() -> bool:
        try:
            # The spool first: what leaves it is in the tables by then. In the other order it would be missed.
            if client.exists(spool.KEY):
                return False
            with rig.connect() as connection:
                row = connection.execute(_MOVING, {"numbers": numbers}).fetchone()
            return bool(row and not row["moving"])
        except (psycopg.OperationalError, redis.RedisError):
            return False

    deadline = time.monotonic() + seconds
    while not is_quiet():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1_000_000))
    parser.add_argument("--messages", type=int, default=0)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    size = SHORT if options.short else LONG
    if options.messages:
        pace = options.messages / size.messages
        size = Size(options.messages, size.numbers, size.customers, size.seconds * pace, size.faults)
    with temporary_servers(environment.DATA_DIR) as servers:
        rig = Rig(servers)
        try:
            rig.start("simulator")
            rig.migrate()
            report = run(rig, seed=options.seed, size=size, say=_say)
        finally:
            rig.stop_all()
    _say(str(report))
    return 0 if report.is_good else 1


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
