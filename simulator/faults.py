"""What becomes of one call: how long it takes, and whether it fails, and how."""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from simulator.exchange import spellings


@dataclass(frozen=True, slots=True)
class Plan:
    """The fate of one call; `error` is a status or code, perhaps with a name (``429:insufficient_quota``)."""

    delay: float = 0.0
    error: str = ""
    drop: bool = False
    drop_after_accept: bool = False
    hang: float = 0.0
    retry_after: float | None = None
    step: Mapping[str, Any] = field(default_factory=dict)


class Profile:
    """The behaviour of one API."""

    def __init__(self, document: Mapping[str, Any], dice: Random) -> None:
        """Take a checked section of the behaviour."""
        self.script: deque[Mapping[str, Any]] = deque(document["script"])
        self._always: Mapping[str, Any] | None = document["always"]
        self._dice = dice
        self._latency = document["latency"]
        self._retry_after: float | None = document["retry_after"]
        self._hang_seconds: float = document["hang_seconds"]
        chances: dict[str, float] = {
            "drop": document["drop"],
            "drop_after_accept": document["drop_after_accept"],
            "hang": document["hang"],
            **document["errors"],
        }
        self._chances = [(name, share) for name, share in chances.items() if share > 0]

    def plan(self, body: bytes = b"", *, scripted: bool = False) -> Plan:
        """
        Decide the fate of one call.

        A `scripted` one takes the script's next step that fits its body, or else what is `always` done.
        """
        step = (self._next_step(body) or self._always) if scripted else None
        if step is not None:
            return self._scripted(step)
        fate = self._drawn() if self._chances else ""
        is_error = fate not in {"", "drop", "drop_after_accept", "hang"}
        return Plan(
            delay=self._drawn_latency(),
            error=fate if is_error else "",
            drop=fate == "drop",
            drop_after_accept=fate == "drop_after_accept",
            hang=self._hang_seconds if fate == "hang" else 0.0,
            retry_after=self._retry_after,
        )

    def _next_step(self, body: bytes) -> Mapping[str, Any] | None:
        for step in self.script:
            if any(spelling in body for spelling in spellings(step.get("match", ""))):
                self.script.remove(step)
                return step
        return None

    def _scripted(self, step: Mapping[str, Any]) -> Plan:
        return Plan(
            delay=float(step["delay"]) if "delay" in step else self._drawn_latency(),
            error=error_of(step),
            drop=bool(step.get("drop")),
            drop_after_accept=bool(step.get("drop_after_accept")),
            hang=step.get("hang", 0.0),
            retry_after=step.get("retry_after", self._retry_after),
            step=step,
        )

    def _drawn(self) -> str:
        draw = self._dice.random()
        for name, share in self._chances:
            draw -= share
            if draw < 0:
                return name
        return ""

    def _drawn_latency(self) -> float:
        latency = self._latency
        if not isinstance(latency, dict):
            return float(latency)
        if "median" in latency:
            return float(latency["median"]) * math.exp(self._dice.gauss(0, latency["sigma"]))
        return max(0.0, self._dice.gauss(latency["mean"], latency["spread"]))


def error_of(step: Mapping[str, Any]) -> str:
    """Return the error a step asks for: its status, its code, or both (``429:insufficient_quota``)."""
    parts = [str(step[key]) for key in ("status", "code") if key in step]
    return ":".join(parts)
