"""The figures of a run under one name each: what is compared between revisions and put into documents."""

import math
import re
from typing import Any

# Not part of the service: they measure it.
HARNESS = ("generator", "simulator")
_COPY = re.compile(r"-\d+$")


def of(document: dict[str, Any]) -> dict[str, float]:
    """
    Return the figures of a run by name, units included, without those of which nothing was measured.

    Of `capacity` they are the rate held, and the figures of the first step: every revision ran that one.
    """
    return {name: value for name, value in _of(document).items() if not math.isnan(value)}


def _of(document: dict[str, Any]) -> dict[str, float]:
    if "steps" in document:
        held = {"rate held, messages/s": document["highest_rate_held"] or 0.0}
        first = document["steps"][0]
        return held | _at(f"{first['rate']:g}/s", _of(first))
    if "trickle" in document:
        return _of_fair(document)
    values = {"answered, messages/s": document["answered_per_second"]}
    values |= _percentiles("added", document["added_ms"])
    if "added_ms_of_pictures" in document:
        values |= _percentiles("added of pictures", document["added_ms_of_pictures"])
    values |= _percentiles("webhook", document["webhook"]["latency_ms"])
    values |= _percentiles("status webhook", document["status_webhook"]["latency_ms"])
    if "drained_after_seconds" in document:
        values |= {"drained after, s": document["drained_after_seconds"]}
        values |= {"quiet after, s": document["quiet_after_seconds"]}
    return values | cpu(document)


def cpu(measured: dict[str, Any]) -> dict[str, float]:
    """Return the CPU time that a message took, of the service together and of every role."""
    roles: dict[str, float] = {}
    for process, seconds in measured["usage"]["cpu_seconds"].items():
        role = _COPY.sub("", process)
        roles[role] = roles.get(role, 0.0) + seconds * 1000 / measured["messages"]
    service = sum(taken for role, taken in roles.items() if role not in HARNESS)
    taken = {"service": service} | dict(sorted(roles.items(), key=lambda pair: -pair[1]))
    return {f"CPU of {role}, ms a message": round(value, 3) for role, value in taken.items()}


def others_share(document: dict[str, Any]) -> float:
    """Return the share of the machine that strangers and other guests took while this was measured."""
    usages = [each["usage"]["machine"] for each in document.get("steps", [document])]
    whole = sum(each["busy"] + each["idle"] + each["stolen"] for each in usages)
    return sum(each["others"] + each["stolen"] for each in usages) / whole if whole else 0.0


def _of_fair(document: dict[str, Any]) -> dict[str, float]:
    return (
        _percentiles("trickle alone: added", document["alone"]["added_ms"])
        | _percentiles("trickle beside the flood: added", document["trickle"]["added_ms"])
        | {"flood: answered, messages/s": document["flood"]["answered_per_second"]}
        | cpu(document)
    )


def _percentiles(name: str, spread: dict[str, float]) -> dict[str, float]:
    return {f"{name} {percent}, ms": spread[percent] for percent in ("p50", "p99")}


def _at(rate: str, values: dict[str, float]) -> dict[str, float]:
    """Put the rate behind each name, before its unit."""
    return {name.replace(", ", f" at {rate}, ", 1): value for name, value in values.items()}
