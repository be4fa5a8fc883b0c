"""`make bench-streams`: what thousands of event streams cost, and how soon a message is with its reader."""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# Speaks before Django reads its settings.
from tests import environment

# isort: split
import psycopg
import redis

from config.embedded.console import say, step
from config.embedded.servers import temporary_servers
from tests.load import processes
from tests.rig import Rig
from tests.webchat.event_streams import SAID, SHOP, Chat, Visitor

_BOUND_MS = 200
_CONNECTING_AT_ONCE = 50
_PAUSE_SECONDS = 0.05
_PATIENCE_SECONDS = 30.0
_IDLE_SECONDS = 30
_LIMITS = {"TRUSTED_PROXIES": "1", "LIVE_MAX_STREAMS": "20000", "LOG_LEVEL": "error"}


@dataclass
class Reader:
    """One open stream: when each text came."""

    visitor: Visitor
    number: int
    arrived: dict[str, float] = field(default_factory=dict)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)
    has_ended: bool = False

    async def connect(self) -> None:
        # A writer that is forgotten hangs up.
        lines, self._writer = await asyncio.open_connection("127.0.0.1", environment.LIVE_PORT)
        path = f"/webchat/{self.visitor.chat.business.phone_number_id}/events"
        address = f"10.{self.number >> 16 & 255}.{self.number >> 8 & 255}.{self.number & 255}"
        self._writer.write(
            f"GET {path} HTTP/1.1\r\nHost: live\r\nOrigin: {SHOP}\r\nX-Forwarded-For: {address}\r\n"
            f"Authorization: Bearer {self.visitor.token}\r\n\r\n".encode()
        )
        self._task = asyncio.create_task(self._read(lines))
        await self.has_begun.wait()

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            if line.startswith(b"event: state"):
                self.has_begun.set()
            elif b'"text": "said ' in line:
                now = time.perf_counter()
                self.arrived[line.split(b'"text": "')[1].split(b'"')[0].decode()] = now
        self.has_ended = True


def _memory(pid: int) -> int:
    """Give what a process holds, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _worker(rig: Rig) -> int:
    """Give the process that holds the streams: the server's child."""
    children = Path(f"/proc/{rig.pid('live')}/task/{rig.pid('live')}/children").read_text().split()
    return max(map(int, children), key=_memory)


def _more_files(count: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if count + 500 > hard:
        sys.exit(f"{count} streams need {count + 500} files, and this shell may open {hard} (ulimit -Hn).")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _served(count: int) -> Iterator[tuple[Rig, list[Visitor]]]:
    with temporary_servers(environment.DATA_DIR) as servers:
        rig = Rig(servers)
        try:
            with step(f"Making {count} visitors"):
                rig.migrate()
                chat = Chat.create(rig)
                visitors = [chat.visitor() for _ in range(count)]
            with step("Starting the live process"):
                rig.start("live", **_LIMITS)
            yield rig, visitors
        finally:
            rig.stop_all()


async def _connect(readers: Sequence[Reader]) -> None:
    gate = asyncio.Semaphore(_CONNECTING_AT_ONCE)

    async def connect(reader: Reader) -> None:
        async with gate:
            await reader.connect()

    await asyncio.gather(*(connect(reader) for reader in readers))


class Speaker:
    """Says something to visitors, as whoever stores a reply does: it is committed, then rung."""

    def __init__(self, rig: Rig) -> None:
        self._database = psycopg.connect(
            rig.servers.database_url.replace("postgres://", "postgresql://"), autocommit=True
        )
        self._redis = redis.Redis.from_url(rig.servers.redis_url, socket_timeout=0.5)

    def say(self, visitor: Visitor, text: str, *, rings: bool) -> float:
        """Give when it was committed."""
        self._database.execute(SAID, {**visitor.facts, "text": text})
        committed_at = time.perf_counter()
        if rings:
            self._redis.publish(f"webchat:{visitor.customer_id}", "changed")
        return committed_at


async def _delays(
    speaker: Speaker, readers: Sequence[Reader], count: int, *, rings: bool, pause: float
) -> list[float]:
    """Write to some of them and give the delays in milliseconds; of those that came."""
    chosen = [(random.choice(readers), f"said {n} {'with' if rings else 'without'}") for n in range(count)]
    said: dict[str, float] = {}
    for reader, text in chosen:
        said[text] = await asyncio.to_thread(speaker.say, reader.visitor, text, rings=rings)
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and any(text not in reader.arrived for reader, text in chosen):
        await asyncio.sleep(0.05)
    came = [(reader, text) for reader, text in chosen if text in reader.arrived]
    return [(reader.arrived[text] - said[text]) * 1000 for reader, text in came]


def _spread(delays: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(delays, n=100)
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(delays)}


def _row(title: str, delays: Sequence[float], count: int) -> str:
    percentiles = "   ".join(f"{name} {value:7.1f}" for name, value in _spread(delays).items())
    return f"{title:32} {percentiles} ms   lost {count - len(delays)}"


async def _measure(rig: Rig, visitors: Sequence[Visitor], messages: int, figures: dict[str, object]) -> bool:
    """Measure, put the figures into `figures`, and return whether all is as it must be."""
    readers = [Reader(visitor, n) for n, visitor in enumerate(visitors)]
    speaker, pid = Speaker(rig), _worker(rig)
    # What the first ones need and the others share is not counted.
    await _connect(readers[:50])
    before, opened = _memory(pid), len(readers) - 50
    began, used = time.perf_counter(), _cpu(pid)
    await _connect(readers[50:])
    took = time.perf_counter() - began
    figures |= {"streams": opened, "opened_in_s": took, "cpu_ms_a_stream": (_cpu(pid) - used) / opened * 1000}
    say(f"{opened} streams opened in {took:.1f} s, {(_cpu(pid) - used) / opened * 1000:.1f} ms of CPU each")
    used = _cpu(pid)
    await asyncio.sleep(_IDLE_SECONDS)
    grown = _memory(pid) - before
    figures |= {"memory_kb_a_stream": grown / opened / 1024, "memory_mb": _memory(pid) / 2**20}
    figures["cpu_idle_share"] = (_cpu(pid) - used) / _IDLE_SECONDS
    say(f"memory: {grown / opened / 1024:.1f} KB a stream; the process {_memory(pid) / 2**20:.0f} MB in all")
    say(f"CPU while idle: {(_cpu(pid) - used) / _IDLE_SECONDS * 100:.1f} % of a core")
    with_bell = await _delays(speaker, readers, messages, rings=True, pause=_PAUSE_SECONDS)
    say(_row("bell to reader", with_bell, messages))
    rig.servers.valkey.stop()
    await asyncio.sleep(5)
    used, began = _cpu(pid), time.perf_counter()
    without = await _delays(speaker, readers, messages, rings=False, pause=_PAUSE_SECONDS * 2)
    say(_row("commit to reader, Redis stopped", without, messages))
    say(f"CPU meanwhile: {(_cpu(pid) - used) / (time.perf_counter() - began) * 100:.1f} % of a core")
    figures |= {"bell_ms": _spread(with_bell), "without_redis_ms": _spread(without)}
    ended = sum(reader.has_ended for reader in readers)
    say(f"streams that ended: {ended}")
    is_whole = len(with_bell) == len(without) == messages and not ended
    return is_whole and statistics.median(with_bell) < _BOUND_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    options = parser.parse_args()
    _more_files(options.streams)
    say("Machine: " + ", ".join(f"{name} {value}" for name, value in processes.description().items()))
    figures: dict[str, object] = {}
    with _served(options.streams) as (rig, visitors):
        is_right = asyncio.run(_measure(rig, visitors, options.messages, figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
