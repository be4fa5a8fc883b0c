"""The scenarios: what is posted to a fresh system, and what is kept of it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from config.embedded.console import say
from config.embedded.errors import StartError
from tests.load import judgement, report
from tests.load.bench import Bench
from tests.load.businesses import each_with_its_own_number
from tests.load.pictures import PICTURE

NUMBERS = 200
_TRICKLING = 20
_STEP_SECONDS = 25.0
_PICTURE_EVERY = 5


def steady(bench: Bench, *, rate: float, seconds: float) -> dict[str, Any]:
    """Post at one rate, to many numbers."""
    measured = bench.post(rate=rate, count=round(rate * seconds))
    say(report.table("steady", measured))
    return measured


def hot(bench: Bench, *, rate: float, seconds: float) -> dict[str, Any]:
    """Post at one rate, to a single number."""
    measured = bench.post(rate=rate, count=round(rate * seconds))
    say(report.table("hot, one number", measured))
    return measured


def burst(bench: Bench, *, count: int) -> dict[str, Any]:
    """Post as fast as the webhook takes it."""
    measured = bench.post(rate=0, count=count)
    say(report.table("burst", measured))
    return measured


def post_until_not_held(bench: Bench, *, rates: Iterable[float], seconds: float) -> list[dict[str, Any]]:
    """Post at each rate (messages a second) for so many seconds, until one is not held."""
    tried: list[dict[str, Any]] = []
    for rate in rates:
        measured = bench.post(rate=rate, count=round(rate * seconds))
        measured["held"] = judgement.is_held(measured["added_ms_by_quarter"])
        tried.append(measured)
        if not measured["held"]:
            break
    return tried


def capacity(bench: Bench, *, rates: Iterable[float], seconds: float) -> dict[str, Any]:
    """Post at a rising rate until the backlog grows."""
    tried = post_until_not_held(bench, rates=rates, seconds=seconds)
    say(report.steps(tried))
    held = max((each["rate"] for each in tried if each["held"]), default=None)
    say(f"highest rate held: {f'{held:g}/s' if held else 'none'}")
    return {"highest_rate_held": held, "steps": tried}


def overload(bench: Bench, *, rate: float | None, rates: Iterable[float], seconds: float) -> dict[str, Any]:
    """
    Post at twice the rate that is held, then nothing; without a `rate`, find that one first.

    :raises StartError: if no rate is held
    """
    searched = {} if rate else capacity(bench, rates=rates, seconds=_STEP_SECONDS)
    held = rate or searched["highest_rate_held"]
    if not held:
        raise StartError("overload: no rate was held; try lower ones with --rates, or name one with --rate.")
    measured = bench.post(rate=2 * held, count=round(2 * held * seconds))
    measured |= {
        "rate_held": held,
        "drained_after_seconds": round(measured["answered_all_after_seconds"] - measured["seconds"], 1),
        "quiet_after_seconds": round(measured["usage"]["seconds"] - measured["seconds"], 1),
        "refused": sum(measured["webhook"]["not_200"].values()),
    }
    say(report.table("overload", measured))
    say(report.overload(measured))
    return {"search": searched, **measured} if searched else measured


def fair(bench: Bench, *, count: int, flood_numbers: int, rate: float, seconds: float) -> dict[str, Any]:
    """Post a trickle to businesses, alone at first, then while a flood to another business waits."""
    shape = {"first_number": flood_numbers, "numbers": _TRICKLING}
    alone = bench.post(rate=rate, count=round(rate * seconds), known_from=bench.customers, **shape)
    flood = bench.load(rate=0, count=count, numbers=flood_numbers)
    trickle = bench.load(rate=rate, count=round(rate * seconds), known_from=bench.customers, **shape)
    measured = bench.post_behind(flood, trickle)
    measured["flood_ended_early"] = int(not measured["loads"][1]["others_waiting"]["last"])
    document = measured | {"alone": alone, **dict(zip(("flood", "trickle"), measured["loads"], strict=True))}
    say(report.fair(document))
    return document


def media(bench: Bench, *, rate: float, seconds: float) -> dict[str, Any]:
    """Post at one rate, every fifth message a picture."""
    PICTURE.register(bench.system.simulator_url)
    measured = bench.post(rate=rate, count=round(rate * seconds), picture_every=_PICTURE_EVERY)
    say(report.table("media, every fifth message a picture", measured))
    return measured


def _many(_arguments: Mapping[str, Any]) -> list[int]:
    return each_with_its_own_number(NUMBERS)


def _one(_arguments: Mapping[str, Any]) -> list[int]:
    return each_with_its_own_number(1)


def _one_with_many_and_others(arguments: Mapping[str, Any]) -> list[int]:
    return [0] * arguments["flood_numbers"] + list(range(1, _TRICKLING + 1))


@dataclass(frozen=True)
class Scenario:
    """What is run with which arguments, and which business each number belongs to."""

    run: Callable[..., dict[str, Any]]
    defaults: dict[str, Any]
    owners: Callable[[Mapping[str, Any]], list[int]] = _many


_RATES = [float(rate) for rate in range(100, 260, 20)]
SCENARIOS = {
    "steady": Scenario(steady, {"rate": 100.0, "seconds": 120.0}),
    "hot": Scenario(hot, {"rate": 80.0, "seconds": 60.0}, _one),
    "burst": Scenario(burst, {"count": 5000}),
    "capacity": Scenario(capacity, {"rates": _RATES, "seconds": _STEP_SECONDS}),
    "overload": Scenario(overload, {"rate": None, "rates": _RATES, "seconds": 60.0}),
    "fair": Scenario(
        fair,
        {"count": 20_000, "flood_numbers": 10, "rate": 5.0, "seconds": 30.0},
        _one_with_many_and_others,
    ),
    "media": Scenario(media, {"rate": 60.0, "seconds": 60.0}),
}
