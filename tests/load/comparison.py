"""Two revisions measured in turn: the ratio of every figure, which a shared machine distorts least."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.load import markdown

# Above this share of the machine, others change the figures.
QUIET_SHARE = 0.1
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Ratio:
    """
    One figure: the medians of both revisions, and the ratio of the present one to the other.

    The ratio is the median of those of the rounds, `lowest` and `highest` are the extremes; all are None
    where a figure exists for one of the two alone, or is 0.
    """

    name: str
    base: float | None
    present: float | None
    ratio: float | None
    lowest: float | None
    highest: float | None


def compare(rounds: Sequence[tuple[Figures, Figures]]) -> list[Ratio]:
    """Compare the figures of rounds, each of which ran the other revision first and then the present one."""
    names = list(dict.fromkeys(name for pair in rounds for figures in pair for name in figures))
    return [_ratio(name, rounds) for name in names]


def _ratio(name: str, rounds: Sequence[tuple[Figures, Figures]]) -> Ratio:
    each = [
        present[name] / base[name]
        for base, present in rounds
        if name in base and name in present and base[name]
    ]
    return Ratio(
        name,
        base=_median([base[name] for base, _ in rounds if name in base]),
        present=_median([present[name] for _, present in rounds if name in present]),
        ratio=_median(each),
        lowest=min(each, default=None),
        highest=max(each, default=None),
    )


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def table(ratios: Sequence[Ratio], base: str) -> str:
    """Format ratios for a person at the terminal."""
    width = max(len(each.name) for each in ratios)
    lines = [f"{'':{width}}  {base:>12}  {'present':>12}  {'ratio':>7}  of the rounds"]
    lines += [
        f"{each.name:{width}}  {markdown.number(each.base):>12}  {markdown.number(each.present):>12}"
        f"  {markdown.number(each.ratio):>7}  {_range(each)}"
        for each in ratios
    ]
    return "\n".join(lines)


def as_markdown(ratios: Sequence[Ratio], base: str) -> str:
    """Format ratios as a table for the documentation."""
    return markdown.table(
        ["", f"`{base}`", "present", "ratio", "of the rounds"],
        [
            [each.name, *map(markdown.number, (each.base, each.present, each.ratio)), _range(each)]
            for each in ratios
        ],
    )


def conditions(rounds: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Format what the ratios may be doubted for: time that others took, and runs that were not right."""
    runs = [each for pair in rounds for each in pair]
    taken = ", ".join(f"{each['others_share']:.0%}" for each in runs)
    wrong = [
        f"{each['tree']}: {each['faults'] or each['ledger']['verdict']}"
        for each in runs
        if not each["is_right"]
    ]
    lines = [f"Others took, run by run: {taken} of the machine."]
    if max(each["others_share"] for each in runs) > QUIET_SHARE:
        lines.append("That is too much for these ratios to be quoted: repeat when the machine is quiet.")
    if wrong:
        lines.append("NOT COMPARABLE, since runs were wrong: " + "; ".join(wrong))
    return "\n".join(lines)


def _range(ratio: Ratio) -> str:
    return f"{markdown.number(ratio.lowest)} to {markdown.number(ratio.highest)}"
