"""`make bench-pages`: how long a page of messages takes, the first and the ten-thousandth."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

# Speaks before Django reads its settings.
from tests import environment

# isort: split
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.embedded.console import say, step
from config.embedded.servers import temporary_servers
from config.lib.api import pagination
from conversations import listing
from tests.api import caller
from tests.api.caller import Caller
from tests.load import filling
from tests.load.filling import Filled

LIMIT = 50
_ROUNDS = 3
_DEPTHS = (1, 100, 1_000, 10_000)


def cases(filled: Filled) -> dict[str, dict[str, str]]:
    """Give the filters that are measured."""
    return {
        "unfiltered": {},
        "oldest first": {"order": "oldest"},
        "conversation_id": {"conversation_id": filled.long_conversation},
        "phone_number_id, busy": {"phone_number_id": filled.busy_number},
        "phone_number_id, rare": {"phone_number_id": filled.rare_number},
        "status=failed": {"status": "failed"},
        "status=pending, none": {"status": "pending"},
        "sender=user": {"sender": "user"},
        "author=staff, none": {"author": "staff"},
        "customer_phone": {"customer_phone": filled.customer_phone},
        "text, common": {"text": filling.COMMON_WORD},
        "text, rare": {"text": filling.RARE_WORD},
        "text, absent": {"text": filling.ABSENT_WORD},
        "text, two letters": {"text": "zz"},
        "since, until": {"since": "2024-03-01T00:00:00Z", "until": "2024-09-01T00:00:00Z"},
    }


def url_at(filled: Filled, asked: dict[str, str], depth: int) -> str | None:
    """Give the address of a page that far down; None if the list is shorter."""
    given = {"limit": str(LIMIT), **asked}
    if depth > 1:
        found = _listing(filled, asked)
        last = (depth - 1) * LIMIT - 1
        row = found.rows.order_by(*found.order)[last : last + 1].first()
        if row is None:
            return None
        given["cursor"] = pagination._cursor(row, found.order)
    return f"/users/{filled.user_id}/messages?{urlencode(given)}"


def _listing(filled: Filled, asked: dict[str, str]) -> listing.Listing:
    given = {name: value for name, value in asked.items() if name != "order"}
    return listing.messages(user_id=filled.user_id, newest_first=asked.get("order") != "oldest", **given)


def plans(ask: Caller, url: str) -> list[str]:
    """Give the plan of each query about messages that an address takes."""
    with CaptureQueriesContext(connection) as asked:
        assert ask.get(url).status_code == 200, url
    found = []
    with connection.cursor() as cursor:
        for query in asked:
            if query["sql"].startswith("SELECT") and '"messages"' in query["sql"]:
                cursor.execute("EXPLAIN " + query["sql"].replace("%", "%%"), [])
                found.append("\n".join(line for (line,) in cursor.fetchall()))
    return found


def _nodes(plan: str) -> list[str]:
    wanted = ("Scan", "Sort")
    return [
        line.strip(" ->").partition("  (")[0] for line in plan.splitlines() if any(w in line for w in wanted)
    ]


@contextmanager
def _filled(count: int) -> Iterator[Filled]:
    with temporary_servers(environment.DATA_DIR):
        with step(f"Making {count} messages of one business and {count // 5} of others"):
            call_command("migrate", verbosity=0)
            filled = filling.fill("usr_measured", count=count)
            for n in range(4):
                filling.fill(f"usr_other{n}", count=count // 20)
            filling.look_around()
        try:
            yield filled
        finally:
            connection.close()


def _measure(ask: Caller, url: str, samples: int) -> tuple[float, float]:
    """Give median and p99 in milliseconds; of the rounds the calmest, since others use the machine too."""
    rounds: list[tuple[float, float]] = []
    while len(rounds) < _ROUNDS and not (rounds and _is_even(*rounds[-1])):
        rounds.append(_round(ask, url, samples))
    return min(rounds, key=lambda found: found[1] / found[0])


def _is_even(median: float, worst: float) -> bool:
    return worst <= 2 * median


def _round(ask: Caller, url: str, samples: int) -> tuple[float, float]:
    taken = []
    for _ in range(10):
        ask.get(url)
    for _ in range(samples):
        began = time.perf_counter()
        answer = ask.get(url)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, url
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    options = parser.parse_args()
    settings.API_RATE_LIMIT = settings.API_BUSINESS_RATE_LIMIT = 100_000_000
    slow = []
    rows: list[dict[str, object]] = []
    with _filled(options.messages) as filled:
        ask = caller.operator()
        say(f"{'':24}{'page':>8}{'median':>10}{'p99':>10}{'p99/median':>12}")
        for name, asked in cases(filled).items():
            for depth in _DEPTHS:
                if url := url_at(filled, asked, depth):
                    median, worst = _measure(ask, url, options.samples)
                    say(f"{name:24}{depth:>8}{median:>7.1f} ms{worst:>7.1f} ms{worst / median:>12.2f}")
                    rows.append({"case": name, "page": depth, "median_ms": median, "p99_ms": worst})
                    if not _is_even(median, worst):
                        slow.append(f"{name}, page {depth}")
            for plan in plans(ask, url_at(filled, asked, 1) or ""):
                say(f"    {'; '.join(_nodes(plan))}")
    if options.json:
        options.json.write_text(json.dumps({"messages": options.messages, "pages": rows}, indent=1))
    if slow:
        say(f"p99 above twice the median: {'; '.join(slow)}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
