"""The numbers of a run as a table."""

import json
import math
from collections.abc import Iterable
from typing import Any

_WIDTH = 34
# A webhook is to be answered this soon at the median, says Meta.
META_MEDIAN_MS = 250


def table(title: str, measured: dict[str, Any]) -> str:
    """Write one go of load down for a person."""
    lines = [
        f"{title}: {measured['messages']} messages"
        + (f" at {measured['rate']:g}/s" if measured["rate"] else " at once"),
        *_webhooks("webhooks posted", measured["webhook"]),
        *_webhooks("  by the simulator (statuses)", measured["status_webhook"]),
        row("  generator behind its plan, ms", _spread(measured["late_ms"])),
        row("answered", f"{measured['answered']} in {measured['replies']} replies"),
        row("  end to end", f"{measured['answered_per_second']} messages/s"),
        row("  all after", f"{measured['answered_all_after_seconds']} s"),
        row("  open when the last was posted", measured["unanswered_when_the_last_was_posted"]),
        row("added latency, ms", _spread(measured["added_ms"])),
        *(
            row(f"  quarter {number}", f"{_spread(part)}  n={part['messages']}")
            for number, part in enumerate(measured["added_ms_by_quarter"], 1)
        ),
        *_pictures(measured),
        *_wrong(measured),
        *_requests(measured),
        *_processes(measured),
    ]
    return "\n".join(lines)


def ledger(checked: dict[str, Any]) -> str:
    """Write the check of the ledger and of the deliveries down."""
    return "\n".join([row("ledger", checked["verdict"]), row("deliveries", pairs(checked["deliveries"]))])


def steps(measured: Iterable[dict[str, Any]]) -> str:
    """Write steps of a rising rate down, a line each."""
    lines = ["  rate   held  replies/s  added p50     p99  quarter 1 → 4 p50  open at end  CPU ms/message"]
    for each in measured:
        quarters = each["added_ms_by_quarter"]
        cpu = sum(each["usage"]["cpu_seconds"].values()) / each["messages"] * 1000
        lines.append(
            f"{each['rate']:6g}  {'yes' if each['held'] else 'NO':>5}  {each['answered_per_second']:9g}"
            f"  {each['added_ms']['p50']:9g}  {each['added_ms']['p99']:6g}"
            f"  {quarters[0]['p50']:8g} → {quarters[-1]['p50']:<6g}"
            f"  {each['unanswered_when_the_last_was_posted']:11d}  {cpu:14.2f}  {pairs(faults(each))}"
        )
    return "\n".join(lines)


def overload(measured: dict[str, Any]) -> str:
    """Format what happened to twice the rate that is held, and after it."""
    acks = measured["webhook"]["latency_ms"]
    is_soon = acks["p50"] <= META_MEDIAN_MS
    lines = [
        row("rate held, posted", f"{measured['rate_held']:g}/s, {measured['rate']:g}/s"),
        row(f"acknowledged within {META_MEDIAN_MS} ms", f"{'yes' if is_soon else 'NO'}, at the median"),
        row("backlog when the last was posted", measured["unanswered_when_the_last_was_posted"]),
        row("drained after", f"{measured['drained_after_seconds']} s"),
        row("quiet after", f"{measured['quiet_after_seconds']} s"),
        row("refused", measured["refused"] or "none"),
    ]
    return "\n".join(lines)


def fair(measured: dict[str, Any]) -> str:
    """Format the latency of a trickle, alone and beside a flood."""
    flood, trickle = measured["flood"], measured["trickle"]
    waiting = trickle["others_waiting"]
    lines = [
        f"fair: {flood['messages']} messages of one business at once, {trickle['rate']:g}/s of others",
        row("flood acknowledged after", f"{trickle['started'] - flood['started']:.1f} s"),
        row("flood answered after", f"{flood['answered_all_after_seconds']} s"),
        row("flood waiting during the trickle", f"{waiting['first']} → {waiting['last']}"),
        row("trickle alone, added, ms", _spread(measured["alone"]["added_ms"])),
        row("trickle beside it, added, ms", _spread(trickle["added_ms"])),
        row("  webhook, ms", _spread(trickle["webhook"]["latency_ms"])),
        *_wrong(measured),
        *_processes(measured),
    ]
    return "\n".join(lines)


def faults(measured: dict[str, Any]) -> dict[str, int]:
    """Return the numbers of everything that must not happen, where it did."""
    return {name: measured[name] for name in _FAULTS if measured.get(name)}


# `left` is work that was not finished at the end, `refused` (overload) are webhooks that got no 200. A flood
# that ended before the trickle (fair) measures nothing: raise --count.
_FAULTS = (
    *("lost", "doubled", "out_of_order", "misdelivered", "unexpected", "without_picture", "refused"),
    *("flood_ended_early", "left"),
)


def _wrong(measured: dict[str, Any]) -> list[str]:
    return [row("wrong", pairs(faults(measured)) or "nothing lost, doubled, out of order or misdelivered")]


def _pictures(measured: dict[str, Any]) -> list[str]:
    added = measured.get("added_ms_of_pictures")
    return [row("  of pictures", _spread(added))] if added else []


def _webhooks(name: str, measured: dict[str, Any]) -> list[str]:
    refused = f"  not 200: {pairs(measured['not_200'])}" if measured["not_200"] else "  all 200"
    return [
        row(name, f"{measured['count']}, {measured['per_second']}/s,{refused}"),
        row("  latency, ms", _spread(measured["latency_ms"])),
    ]


def _requests(measured: dict[str, Any]) -> list[str]:
    counts = {name: f"{count / measured['messages']:.2f}" for name, count in measured["requests"].items()}
    return [row("requests per message", pairs(counts))]


def _processes(measured: dict[str, Any]) -> list[str]:
    usage, memory = measured["usage"], measured["memory_mib"]
    seconds = usage["cpu_seconds"]
    thousands = measured["messages"] / 1000
    machine = usage["machine"]
    total = sum(seconds.values())
    cores = machine["busy"] + machine["idle"] + machine["stolen"]
    lines = ["process           CPU s   s per 1,000 messages   share   MiB at end (PSS)   peak (RSS)"]
    for name, taken in sorted(seconds.items(), key=lambda pair: -pair[1]):
        kept = memory.get(name, {"now": 0.0, "peak": 0.0})
        # Each backend's resident set holds the buffers they all share: the sum means nothing.
        peak = "" if name == "postgres" else f"{kept['peak']:.0f}"
        lines.append(
            f"  {name:<14}{taken:7.2f}{taken / thousands:20.2f}{taken / total:12.0%}"
            f"{kept['now']:15.0f}{peak:>18}"
        )
    lines.append(f"  {'all of these':<14}{total:7.2f}{total / thousands:20.2f}")
    lines.append(
        f"  cores busy {machine['busy'] / cores:.0%} in {usage['seconds']:.0f} s;"
        f" others took {machine['others']:.1f} s, the host stole {machine['stolen']:.1f} s"
    )
    return lines


def as_json(document: object) -> str:
    """Format figures as JSON, which has no NaN: a percentile of nothing is null."""
    return json.dumps(_finite(document), indent=1, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def row(name: str, value: object) -> str:
    return f"{name:<{_WIDTH}}{value}"


def _spread(measured: dict[str, float]) -> str:
    return "  ".join(f"{name} {measured[name]:g}" for name in ("p50", "p95", "p99", "max"))


def pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
