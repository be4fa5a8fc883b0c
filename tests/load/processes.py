"""What processes took from the machine, read from /proc."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """Give the CPU time each process and all of its children have taken so far, ended ones included."""
    own, parents = {}, {}
    for pid in _pids():
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            parents[pid] = int(fields[1])
            # user, system, and both of children that ended and were waited for
            own[pid] = sum(int(ticks) for ticks in fields[11:15]) / _TICK
    names = _names(roots, parents)
    taken = dict.fromkeys(roots, 0.0)
    for pid, seconds in own.items():
        if pid in names:
            taken[names[pid]] += seconds
    return taken


def memory_mib(roots: dict[str, int]) -> dict[str, dict[str, float]]:
    """
    Give the memory of each process with its children, in MiB.

    `now` shares out what several processes map (PSS); `peak` adds up each one's largest resident set since it
    started, so of Postgres's backends it counts the shared buffers many times.
    """
    parents = {}
    for pid in _pids():
        with suppress(OSError):
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    taken = {name: {"now": 0.0, "peak": 0.0} for name in roots}
    for pid, name in _names(roots, parents).items():
        taken[name]["now"] += _kib(pid, "smaps_rollup", "Pss:") / 1024
        taken[name]["peak"] += _kib(pid, "status", "VmHWM:") / 1024
    return taken


def machine_seconds() -> dict[str, float]:
    """Give what all cores together did since boot: `busy`, and `stolen` by the machine's other guests."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, idle, waiting, hard, soft, stolen = ticks[:8]
    return {
        "busy": (user + nice + system + hard + soft) / _TICK,
        "stolen": stolen / _TICK,
        "idle": (idle + waiting) / _TICK,
    }


def description() -> dict[str, object]:
    """Describe the machine and the code, for whoever compares numbers later."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = Path("/proc/meminfo").read_text().split()[1]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": models[0] if models else platform.machine(),
        "memory_gib": round(int(memory) / 1024 / 1024, 1),
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed_files": len(_git("status", "--porcelain").splitlines()),
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
    }


def _git(*words: str) -> str:
    asked = subprocess.run(["git", *words], check=False, capture_output=True, text=True)
    return asked.stdout.strip()


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208 - names, not paths


def _names(roots: dict[str, int], parents: dict[int, int]) -> dict[int, str]:
    """Tell for each process below one of `roots` which of them it belongs to."""
    known = {pid: name for name, pid in roots.items()}
    found = {}
    for pid in parents:
        ancestor = pid
        while ancestor and ancestor not in known:
            ancestor = parents.get(ancestor, 0)
        if ancestor:
            found[pid] = known[ancestor]
    return found


def _kib(pid: int, file: str, field: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0
