"""
Reads from the text of a statement which tables it locks rows of, and in which order.

Not read are the locks by which foreign keys are checked, and the order of rows within a table.
"""

import re
from dataclasses import dataclass, field
from functools import cache

from django.apps import apps

_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]+\"|%\(\w+\)s|[A-Za-z_][\w.]*|[(),;]|[^\s\w]")
_COMMENT = re.compile(r"--[^\n]*")
_END_OF_TABLES = frozenset(
    {"WHERE", "GROUP", "ORDER", "LIMIT", "HAVING", "SET", "RETURNING", "ON", "USING", "WINDOW", "OFFSET"}
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A lock that a statement takes: on rows it changes, on new ones, or by FOR UPDATE."""

    name: str
    by_change: bool = False
    waits: bool = True
    is_new: bool = False


@dataclass(slots=True)
class _Query:
    """A query within parentheses, while it is read: its tables by alias, and what it changes."""

    tables: dict[str, str] = field(default_factory=dict)
    inserted: str = ""
    changed: str = ""
    is_in_from: bool = False
    newest: str = ""


class _Reader:
    """Reads a statement without its CTEs, or one of these, word by word."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0
        self._known = {model._meta.db_table for model in apps.get_models()}
        self._open = [_Query()]
        self.taken: list[Taken] = []

    def read(self) -> tuple[Taken, ...]:
        while self._at < len(self._words):
            self._read(self._next())
        while self._open:
            self._close()
        return tuple(self.taken)

    def _next(self) -> str:
        self._at += 1
        return self._words[self._at - 1].strip('"')

    def _sees(self, *words: str) -> bool:
        found = tuple(word.upper() for word in self._words[self._at : self._at + len(words)])
        self._at += len(words) if found == words else 0
        return found == words

    def _close(self) -> None:
        # What the subqueries of a change lock is locked before.
        changed = self._open.pop().changed
        if changed in self._known:
            self.taken.append(Taken(changed, by_change=True))

    def _read(self, word: str) -> None:
        query, upper = self._open[-1], word.upper()
        if word == "(":
            self._open.append(_Query())
        elif word == ")" and len(self._open) > 1:
            self._close()
        elif upper == "INSERT" and self._sees("INTO"):
            query.inserted = self._next()
            if query.inserted in self._known:
                self.taken.append(Taken(query.inserted, waits=False, is_new=True))
        elif upper == "DO" and self._sees("UPDATE"):
            query.changed = query.inserted
        elif upper == "UPDATE" or (upper == "DELETE" and self._sees("FROM")):
            query.changed = self._next()
        elif upper == "FOR" and (
            self._sees("UPDATE") or self._sees("NO", "KEY", "UPDATE") or self._sees("SHARE")
        ):
            self._lock_selected(query)
        else:
            self._read_from(query, word)

    def _read_from(self, query: _Query, word: str) -> None:
        upper = word.upper()
        if upper == "SELECT":
            query.tables, query.is_in_from = {}, False
        elif upper in {"FROM", "JOIN"}:
            query.is_in_from, query.newest = True, ""
        elif upper in _END_OF_TABLES:
            query.is_in_from, query.newest = False, ""
        elif word == ",":
            query.newest = ""
        elif query.is_in_from and upper not in {"AS", "LATERAL", "ONLY", "LEFT", "INNER", "CROSS", "OUTER"}:
            query.tables[word] = query.newest or word
            query.newest = query.newest or word

    def _lock_selected(self, query: _Query) -> None:
        named = []
        if self._sees("OF"):
            named = [self._next()]
            while self._sees(","):
                named.append(self._next())
        waits = not (self._sees("SKIP", "LOCKED") or self._sees("NOWAIT"))
        tables = [query.tables.get(name, name) for name in named] or query.tables.values()
        self.taken += [Taken(name, waits=waits) for name in dict.fromkeys(tables) if name in self._known]


def _split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the CTEs of a statement by name, and the rest of it."""
    ctes: dict[str, list[str]] = {}
    at = 1
    while words and words[0].upper() == "WITH" and at < len(words):
        opens = words.index("(", at)
        depth, end = 1, opens
        while depth:
            end += 1
            depth += {"(": 1, ")": -1}.get(words[end], 0)
        ctes[words[at]] = words[opens + 1 : end]
        at = end + 1
        if words[at : at + 1] != [","]:
            return ctes, words[at:]
        at += 1
    return ctes, words


def _used(words: list[str], ctes: dict[str, list[str]]) -> set[str]:
    """Return the CTEs that a part of a statement reads, directly or through others."""
    found: set[str] = set()
    waiting = [words]
    while waiting:
        new = (set(waiting.pop()) & ctes.keys()) - found
        found |= new
        waiting += [ctes[name] for name in new]
    return found


@cache
def locks_of(statement: str) -> tuple[Taken, ...]:
    """
    Return the locks that a statement takes on rows, in the order in which it takes them.

    CTEs that nothing reads are executed after all else, if they change anything.
    https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING
    """
    ctes, main = _split(_TOKEN.findall(_COMMENT.sub("", statement)))
    used = _used(main, ctes)
    parts = [ctes[name] for name in ctes if name in used]
    parts += [main, *(ctes[name] for name in ctes if name not in used)]
    return tuple(taken for part in parts for taken in _Reader(part).read())
