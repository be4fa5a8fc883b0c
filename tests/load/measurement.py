"""One go of load against the running system: post it, wait until all is quiet, collect."""

import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from config.embedded import paths
from config.embedded.console import step
from config.embedded.privileges import bound_to_parent
from tests.load import judgement, processes
from tests.load.generator import Order
from tests.load.journal import Journal
from tests.load.judgement import Post, Written
from tests.load.plan import Load, customer, planned
from tests.load.recording import Profile
from tests.load.system import System

# So long the rest may stand still, and take in all, before the wait ends.
_STUCK_SECONDS = 30
_QUIET_SECONDS = 600
_GENERATOR = "generator"
_LEFT = """
    SELECT (SELECT count(*) FROM inbound_messages WHERE status IN ('pending', 'processing'))
         + (SELECT count(*) FROM turns WHERE state IN ('claimed', 'answered'))
         + (SELECT count(*) FROM deliveries WHERE state IN ('pending', 'sending', 'sent', 'delivered'))
         + (SELECT count(*) FROM channel_events WHERE applied_at IS NULL) AS n
"""


@dataclass
class Usage:
    """What was taken from the machine between two moments."""

    roots: dict[str, int]
    cpu: dict[str, float] = field(default_factory=dict)
    machine: dict[str, float] = field(default_factory=dict)
    began: float = 0.0

    def __post_init__(self) -> None:
        self.cpu = processes.cpu_seconds(self.roots)
        self.machine = processes.machine_seconds()
        self.began = time.time()

    def until_now(self, generator_seconds: float) -> dict[str, Any]:
        after, machine = processes.cpu_seconds(self.roots), processes.machine_seconds()
        cpu = {name: after[name] - self.cpu[name] for name in self.roots} | {_GENERATOR: generator_seconds}
        passed = {name: machine[name] - self.machine[name] for name in machine}
        return {
            "seconds": time.time() - self.began,
            "cpu_seconds": cpu,
            "machine": passed | {"others": max(0.0, passed["busy"] - sum(cpu.values()))},
        }


def run(system: System, journal: Journal, load: Load, profile: Profile | None = None) -> dict[str, Any]:
    """Post a load, wait until it is dealt with, and give everything that was measured."""
    result = system.data_dir / "generator.json"
    order = Order(system.webhook_url, system.environment["WEBHOOK_SECRET"], load, str(result))
    generator = subprocess.Popen(
        bound_to_parent([sys.executable, "-m", "tests.load.generator", order.words()]),
        cwd=paths.PROJECT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        assert generator.stdout is not None
        start = json.loads(generator.stdout.readline())["start"]
        time.sleep(max(0.0, start - time.time() - 0.05))
        usage = Usage(system.pids)
        if profile:
            profile.start(system)
        if generator.wait():
            message = f"the load generator failed with {generator.returncode}"
            raise RuntimeError(message)
    finally:
        generator.kill()
        generator.wait()
        if profile:
            profile.stop()
    # Now, at the end of the load, pools and backlogs are at their largest.
    memory = processes.memory_mib(system.pids)
    left = _wait_until_quiet(system)
    outcome = json.loads(result.read_text())
    taken = usage.until_now(outcome["cpu"])
    measured = _collect(journal, load, outcome) | {"usage": taken, "memory_mib": memory, "left": left}
    journal.skip()
    return measured


def _wait_until_quiet(system: System) -> int:
    """Wait until nothing waits, nobody works and every status is in; give what is left."""
    began = moved = time.monotonic()
    left = math.inf
    with step("Waiting until all is answered and quiet"), system.database() as database:
        while (
            left and time.monotonic() - moved < _STUCK_SECONDS and time.monotonic() - began < _QUIET_SECONDS
        ):
            row = database.execute(_LEFT).fetchone()
            assert row is not None
            if row["n"] < left:
                left, moved = row["n"], time.monotonic()
            time.sleep(0.5)
    return int(left)


def _collect(journal: Journal, load: Load, outcome: dict[str, Any]) -> dict[str, Any]:
    start = outcome["start"]
    written = [
        Written(
            message.token,
            customer(message.customer).wa_id or "",
            Post(start + message.offset, posted, answered, status),
        )
        for message, posted, answered, status in zip(
            planned(load), outcome["posted"], outcome["answered"], outcome["statuses"], strict=True
        )
    ]
    sends = journal.sends()
    answered = judgement.match(written, journal.calls(), sends)
    verdict = judgement.judge(written, sends)
    last_post = max(each.post.posted for each in written)
    return {
        "rate": load.rate,
        "messages": load.count,
        "seconds": load.seconds or last_post - start,
        "webhook": _webhooks([each.post for each in written]),
        "status_webhook": _webhooks(journal.status_posts()),
        "late_ms": judgement.spread([each.post.posted - each.post.planned for each in written]),
        "replies": len(sends),
        "answered": len(answered),
        "answered_per_second": round(judgement.per_second(answered), 1),
        "answered_all_after_seconds": round(max((a.arrived for a in answered), default=start) - start, 2),
        "unanswered_when_the_last_was_posted": judgement.backlog(answered, last_post),
        "added_ms": judgement.spread([each.added for each in answered]),
        "added_ms_by_quarter": judgement.over_time(answered, start, load.seconds or last_post - start),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "misdelivered": len(verdict.misdelivered),
        "out_of_order": len(verdict.out_of_order),
        "examples": {
            name: getattr(verdict, name)[:10]
            for name in ("lost", "doubled", "misdelivered", "out_of_order")
            if getattr(verdict, name)
        },
        "requests": journal.counts(),
    }


def _webhooks(posts: list[Post]) -> dict[str, Any]:
    statuses: dict[str, int] = {}
    for post in posts:
        if post.status != 200:
            statuses[str(post.status)] = statuses.get(str(post.status), 0) + 1
    seconds = max((p.answered for p in posts), default=0) - min((p.posted for p in posts), default=0)
    return {
        "count": len(posts),
        "per_second": round(len(posts) / seconds, 1) if seconds else 0.0,
        "latency_ms": judgement.spread([post.answered - post.planned for post in posts]),
        "not_200": statuses,
    }
