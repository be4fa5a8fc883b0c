"""Tables in GitHub's Markdown, for the documentation."""

import math
from collections.abc import Iterable, Mapping, Sequence


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format a table."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in line)} |" for line in lines)


def of_runs(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Format the figures of runs, by the name of the run, as columns of one table."""
    names = dict.fromkeys(name for run in figures.values() for name in run)
    return table(
        ["", *figures],
        [[name, *(number(run.get(name)) for run in figures.values())] for name in names],
    )


def number(value: float | None) -> str:
    """Format a figure with three digits, or all digits before the point; a dash where there is none."""
    if value is None or math.isnan(value):
        return "-"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|")
