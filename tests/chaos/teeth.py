"""
Takes out one safeguard after the other, in a copy of the source, and demands that a test fails for each.

    python -m tests.chaos.teeth [NAME ...] [--list]

A replacement whose text is no longer found is a fault too: whoever changes a safeguard looks here.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
_NOT_COPIED = shutil.ignore_patterns(
    ".venv", ".data", ".git", "*_cache", "__pycache__", ".hypothesis", "staticfiles"
)
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)
_BROKEN = re.compile(r"^ERROR (\S+)", re.MULTILINE)

_CLAIMS = "tests/chaos/test_claim_machine.py"
_POINTS = "tests/chaos/test_crash_points.py"
_RINGS = "tests/config/test_task_queue.py"
_DROPPED_INDEX = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("conversations", "{leaf}")]
    operations = [migrations.RunSQL("DROP INDEX turns_one_open_per_customer")]
"""


@dataclass(frozen=True)
class Safeguard:
    """One safeguard: where it stands, what is there when it is gone, and who should notice."""

    name: str
    file: str
    there: str
    gone: str
    tests: tuple[str, ...]


SAFEGUARDS = (
    Safeguard(
        "fence-reply",
        "conversations/answering/store_queries.py",
        "AND turns.turn_id = reply.turn AND turns.lease_token = reply.token AND turns.state = 'claimed'",
        "AND turns.turn_id = reply.turn AND turns.state = 'claimed'",
        (_CLAIMS, "tests/conversations/test_outbox.py"),
    ),
    Safeguard(
        "fence-send",
        "conversations/answering/send_queries.py",
        "WHERE turns.turn_id = held.turn_id AND turns.lease_token = held.token\n",
        "WHERE turns.turn_id = held.turn_id\n",
        (_CLAIMS, "tests/conversations/test_deliver.py"),
    ),
    Safeguard(
        "fence-end",
        "conversations/answering/open_turn.py",
        """
       AND turn_id = %(turn)s AND lease_token = %(token)s
       FOR UPDATE
""",
        """
       AND turn_id = %(turn)s
       FOR UPDATE
""",
        (_CLAIMS, "tests/conversations/test_outbox.py"),
    ),
    Safeguard(
        "unique-index",
        "conversations/migrations/9999_without_the_unique_index.py",
        "",
        _DROPPED_INDEX,
        ("tests/chaos/test_guards.py::TestUniqueIndex",),
    ),
    Safeguard(
        "open-turn",
        "conversations/answering/claim_queries.py",
        "                  AND NOT inbound.customer_id = ANY(woken.answered)\n",
        "",
        ("tests/conversations/test_claims.py", _CLAIMS),
    ),
    Safeguard(
        "claim-lock",
        "conversations/answering/claim_queries.py",
        "     WHERE pg_try_advisory_xact_lock(%(lock)s, woken.key)\n",
        "     WHERE %(lock)s > 0\n",
        ("tests/conversations/test_claims_at_once.py", "tests/chaos/test_guards.py::TestClaimLock"),
    ),
    Safeguard(
        "batch-split",
        "conversations/answering/steps.py",
        "                task.add_done_callback(waiting.end)\n",
        "                waiting.future.set_exception(error)\n",
        ("tests/conversations/test_engine.py::TestStore", "tests/conversations/test_engine.py::TestStep"),
    ),
    Safeguard(
        "claim-split",
        "conversations/answering/engine.py",
        "                await self._claim_one_by_one(error)\n",
        "                raise error\n",
        ("tests/conversations/test_engine.py::TestCustomerWhoseClaimFails",),
    ),
    Safeguard(
        "fairness",
        "conversations/answering/claim_queries.py",
        "         ORDER BY round, id\n",
        "         ORDER BY id\n",
        ("tests/conversations/test_engine.py::TestClaim",),
    ),
    Safeguard(
        "intake-lock",
        "channels_app/inbox.py",
        "    locks.take(Lock.INTAKE, *{message.phone_number_id for message, _ in inbound})\n",
        "",
        ("tests/channels_app/test_inbox.py",),
    ),
    Safeguard(
        "row-lock",
        "billing/ledger.py",
        """ >= 0
           FOR UPDATE),""",
        " >= 0),",
        ("tests/billing/test_ledger_at_once.py",),
    ),
    Safeguard(
        "sweeper",
        "conversations/sweeper.py",
        "for phone_number_id in waiting_numbers():",
        "for phone_number_id in list[str]():",
        (f"{_POINTS}::TestRing::test_that_redis_forgets_is_rung_again_p3",),
    ),
    Safeguard(
        "send-once",
        "conversations/unknown.py",
        "SET state = 'unknown', error = %(error)s,",
        "SET state = 'pending', error = '',",
        (f"{_POINTS}::TestReply::test_that_was_sent_is_unknown_where_the_answer_was_not_stored_p11",),
    ),
    Safeguard(
        "counted-attempts",
        "conversations/answering/claim_queries.py",
        "SET attempts = attempts + (turns.lease_token IS NOT NULL AND state = 'claimed')::int,",
        "SET attempts = attempts,",
        (_CLAIMS,),
    ),
    Safeguard(
        "paid-once",
        "agents/llm.py",
        "        if may_be_answered:\n",
        "        if may_be_answered and False:\n",
        (f"{_POINTS}::TestModel::test_whose_answer_died_with_the_worker_is_not_paid_twice_p8",),
    ),
    Safeguard(
        "lease-kept",
        "conversations/leases.py",
        "            self._renewed(renew(tokens), requested_at)\n",
        "            pass\n",
        ("tests/chaos/test_guards.py::TestLease",),
    ),
    Safeguard(
        "hand-back",
        "conversations/leases.py",
        "            tokens = list(self._waiting)\n",
        "            tokens = []\n",
        (f"{_POINTS}::TestDeploy",),
    ),
    Safeguard(
        "refund",
        "conversations/answering/store.py",
        "        ledger.refund(reference=turn.turn_id, reason=error[:255])\n",
        "",
        ("tests/chaos/test_money_and_bursts.py::TestMoney::test_that_comes_back_pays_for_the_next",),
    ),
    Safeguard(
        "spool-first",
        "channels_app/ingest.py",
        "if spool.is_in_use() or not postgres.allows():",
        "if not postgres.allows():",
        ("tests/chaos/test_guards.py::TestSpool",),
    ),
    Safeguard(
        "ring-bound",
        "config/lib/task_queue.py",
        "  if not redis.call('ZSCORE', waiting, ARGV[i]) then\n",
        "  if true then\n",
        (f"{_RINGS}::TestPublish",),
    ),
    Safeguard(
        "ring-taken",
        "config/lib/task_queue.py",
        "  redis.call('ZREMRANGEBYSCORE', waiting, '-inf', newest - redis.call('LLEN', queue))\n",
        "",
        (f"{_RINGS}::TestPublish",),
    ),
    Safeguard(
        "ring-begun",
        "config/lib/task_worker.py",
        "        _waiting.pop(task_queue.key(task.name, kwargs), None)\n",
        "        pass\n",
        (f"{_RINGS}::TestWorker",),
    ),
)


class FaultError(Exception):
    """It cannot be said whether the tests have teeth."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.teeth", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [each for each in SAFEGUARDS if not options.names or each.name in options.names]
    if options.list or not chosen:
        _say("\n".join(each.name for each in SAFEGUARDS))
        return 0 if options.list else 2
    with _copy() as copy:
        tests = list(dict.fromkeys(test for each in chosen for test in each.tests))
        failing = _failing(copy, tests, stop_at_first=False)
    for test in sorted(failing):
        _say(f"fails as things are: {test}")
    return max([_bite(each, failing) for each in chosen])


def _bite(safeguard: Safeguard, failing: set[str]) -> int:
    """Take a safeguard out, and say who noticed; 0 if somebody did."""
    try:
        with _copy() as copy:
            _take_out(safeguard, copy)
            noticed = _failing(copy, list(safeguard.tests), stop_at_first=not failing) - failing
    except FaultError as fault:
        _say(f"{safeguard.name:18} FAULT      {fault}")
        return 2
    if not noticed:
        _say(f"{safeguard.name:18} NO TEETH   nobody noticed that it is gone")
        return 1
    _say(f"{safeguard.name:18} bitten by  {', '.join(sorted(noticed))}")
    return 0


@contextmanager
def _copy() -> Iterator[Path]:
    """Give a copy of the source, with the same packages."""
    with tempfile.TemporaryDirectory(prefix="teeth-") as folder:
        copy = Path(folder, "source")
        shutil.copytree(PROJECT, copy, ignore=_NOT_COPIED)
        Path(copy, ".venv").symlink_to(Path(PROJECT, ".venv").resolve())
        yield copy


def _take_out(safeguard: Safeguard, copy: Path) -> None:
    path = Path(copy, safeguard.file)
    if not safeguard.there:
        leaf = max(each.stem for each in path.parent.glob("[0-9]*.py"))
        path.write_text(safeguard.gone.format(leaf=leaf))
        return
    text = path.read_text() if path.exists() else ""
    if text.count(safeguard.there) != 1:
        raise FaultError(f"{safeguard.file} holds its text {text.count(safeguard.there)} times, not once")
    path.write_text(text.replace(safeguard.there, safeguard.gone))


def _failing(copy: Path, tests: list[str], *, stop_at_first: bool) -> set[str]:
    """
    Run tests in a copy, and name those that fail.

    :raises FaultError: if they could not be run
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", *tests]
    environment = {**{name: value for name, value in os.environ.items() if name != "CHAOS"}, "TEETH": "1"}
    done = subprocess.run(
        command + ["-x"] * stop_at_first,
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    failed, broken = set(_FAILED.findall(done.stdout)), _BROKEN.findall(done.stdout)
    if done.returncode not in {0, 1} or broken:
        last = (broken or done.stdout.splitlines() or ["nothing was said"])[-1]
        raise FaultError(f"pytest ended with {done.returncode}: {last}")
    return failed


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
