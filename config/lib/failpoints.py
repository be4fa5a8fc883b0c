"""
Named points where a test stops the process, freezes it or makes it fail; without FAILPOINTS they cost a call.

    FAILPOINTS="P7=kill@3;P9=stop;P2=sleep:0.5;P0=raise"

`kill` and `stop` send this process SIGKILL and SIGSTOP, `sleep:S` waits, `raise` raises. `@3` means at the
third time only (in this process), without it each time; `P7=kill~0143` only where what it is about contains
`0143`.
The names are those of the crash points in documentation/architecture.md.
"""

import os
import re
import signal
import threading
import time
from dataclasses import dataclass

_RULE = re.compile(r"(\w+)=(kill|stop|raise|sleep):?([\d.]*)(?:@(\d+))?(?:~([\w.:+-]+))?")


class FailpointError(Exception):
    """What a failpoint raises."""


@dataclass(slots=True)
class _Rule:
    action: str
    seconds: float
    at: int
    about: str
    times: int = 0


def _read(text: str) -> dict[str, _Rule]:
    rules = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        match = _RULE.fullmatch(part)
        if match is None:
            raise ValueError(f"FAILPOINTS: {part!r} is no rule")
        name, action, seconds, at, about = match.groups()
        rules[name] = _Rule(action, float(seconds or 0), int(at or 0), about or "")
    return rules


_rules = _read(os.environ.get("FAILPOINTS", ""))
_lock = threading.Lock()


def reach(name: str, *, about: str = "") -> None:
    """
    Do what a test asked for at this point.

    :raises FailpointError: if that is to raise
    """
    if not _rules:
        return
    rule = _rules.get(name)
    if rule is None or rule.about not in about:
        return
    with _lock:
        rule.times += 1
        if rule.at not in {0, rule.times}:
            return
    _act(rule, name)


def _act(rule: _Rule, name: str) -> None:
    if rule.action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif rule.action == "stop":
        # At this very thread: sent to the process, another might take it, and this one run on for a moment.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
    elif rule.action == "sleep":
        time.sleep(rule.seconds)
    else:
        raise FailpointError(name)
