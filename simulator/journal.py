"""What was asked of the simulator and what it posted, kept in memory (and in a file when wanted)."""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.exchange import Request, spellings

NOTED_HEADERS = (b"x-correlation-id", b"user-agent", b"idempotency-key", b"content-type")
DEFAULT_LIMIT = 1000
SHORTEST_SHOWN = 12


@dataclass(slots=True)
class Entry:
    """One request; `status` and `t_done` stay None until it is finished."""

    seq: int
    t: float
    api: str
    method: str
    path: str
    raw: bytes
    headers: dict[str, str]
    t_done: float | None = None
    status: int | None = None
    response_id: str | None = None
    provider_ids: tuple[str, ...] = ()
    note: str = ""

    def line(self) -> bytes:
        """Return the entry as one line of JSON, its body parsed where it is JSON."""
        document: dict[str, Any] = {
            "seq": self.seq,
            "t": self.t,
            "t_done": self.t_done,
            "api": self.api,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "response_id": self.response_id,
            "provider_ids": self.provider_ids,
            "headers": self.headers,
            "note": self.note,
            "body": _parsed(self.raw),
        }
        return json.dumps(document).encode()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries to look at; an empty field means any."""

    api: str = ""
    path: str = ""
    contains: str = ""
    since_seq: int | None = None

    def matches(self, entry: Entry, needles: tuple[bytes, ...]) -> bool:
        """Tell whether the entry is wanted; `needles` are the spellings of `contains`."""
        return (
            (not self.api or entry.api == self.api)
            and self.path in entry.path
            and (
                not needles
                or any(needle in entry.raw for needle in needles)
                or self.contains == entry.response_id
                or self.contains in entry.provider_ids
            )
        )


class Journal:
    """A bounded list of entries, numbered from 1 for as long as the process lives."""

    def __init__(self, size: int, file: str = "") -> None:
        """Start empty; `file` gets every finished entry as a line of JSON."""
        self._entries: deque[Entry] = deque(maxlen=size)
        self._file = file
        self._descriptor: int | None = None
        self.last_seq = 0
        # Told of every entry, when it begins and when it is finished.
        self.on_change: Callable[[Entry], None] = lambda _entry: None

    def begin(self, api: str, request: Request) -> Entry:
        """Note a request that has arrived."""
        headers = {
            name.decode(): request.headers[name].decode("latin-1")
            for name in NOTED_HEADERS
            if name in request.headers
        }
        if b"authorization" in request.headers:
            headers["authorization"] = masked(request.header("authorization"))
        is_text = not headers.get("content-type", "").startswith("multipart/")
        return self.note(api, request.method, request.path, request.body if is_text else b"", headers)

    def note(self, api: str, method: str, path: str, raw: bytes, headers: Mapping[str, str]) -> Entry:
        """Note a request from its parts."""
        self.last_seq += 1
        entry = Entry(self.last_seq, time.time(), api, method, path, raw, dict(headers))
        self._entries.append(entry)
        self.on_change(entry)
        return entry

    def finish(self, entry: Entry, status: int | None, note: str = "") -> None:
        """Note how a request ended; no status means that nobody heard an answer."""
        entry.t_done, entry.status, entry.note = time.time(), status, note
        if self._file:
            if self._descriptor is None:
                self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(self._descriptor, entry.line() + b"\n")
        self.on_change(entry)

    def find(self, wanted: Wanted) -> Iterator[Entry]:
        """Return the wanted entries, newest first."""
        needles = spellings(wanted.contains) if wanted.contains else ()
        for entry in reversed(self._entries):
            if wanted.since_seq is not None and entry.seq <= wanted.since_seq:
                return
            if wanted.matches(entry, needles):
                yield entry

    def page(self, wanted: Wanted, limit: int) -> list[Entry]:
        """Return at most `limit` entries in order: the first after `since_seq`, without it the newest."""
        found = list(self.find(wanted))[::-1]
        return found[-limit:] if wanted.since_seq is None else found[:limit]

    def clear(self) -> int:
        """Forget everything and return how much that was; the numbering goes on."""
        count = len(self._entries)
        self._entries.clear()
        return count


def masked(authorization: str) -> str:
    """Hide all of a token but its last four characters, and all of a short one."""
    kind, _, token = authorization.partition(" ")
    return f"{kind} …{token[-4:]}" if len(token) >= SHORTEST_SHOWN else f"{kind} …"


def _parsed(raw: bytes) -> object:
    try:
        return json.loads(raw) if raw else None
    except (ValueError, RecursionError):
        return None
