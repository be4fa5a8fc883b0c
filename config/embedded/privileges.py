"""Running a server with no more rights than it needs, and no longer than its parent."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from config.embedded.errors import StartError

# Search and read only. Without the last word, access(2) ignores the capability of a user other than root.
_SEARCH_ANYWHERE = (
    "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search",
    "--bounding-set=-all,+dac_read_search",
    "--securebits=+no_setuid_fixup",
)
_OPENS = 'for path; do if [ -d "$path" ]; then cd "$path"; else : <"$path"; fi || exit 1; done'


def bound_to_parent(command: list[str], *, death_signal: str = "TERM") -> list[str]:
    """Send `command` a signal when its parent dies, so that a killed parent leaves nothing behind."""
    return ["setpriv", "--pdeathsig", death_signal, *command]


def unprivileged(*, uid: int, must_reach: Iterable[Path], death_signal: str) -> list[str]:
    """
    Return the prefix of a command that must not run as root.

    As root they switch to `uid`; where a closed folder above `must_reach` keeps that user out, they add
    the one capability that passes it, so that no permission outside the project has to change.

    :raises StartError: if `uid` cannot reach the paths even so
    """
    plain = bound_to_parent([], death_signal=death_signal)
    if os.getuid() != 0:
        return plain
    gid = pwd.getpwuid(uid).pw_gid
    switched = [*plain, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    paths = [str(path) for path in must_reach]
    for prefix in ([*switched, "--inh-caps=-all"], [*switched, *_SEARCH_ANYWHERE]):
        if _can_open(prefix, paths):
            return prefix
    message = (
        f"Postgres does not run as root, and user {pwd.getpwuid(uid).pw_name} cannot reach {paths[0]}: "
        "start as an ordinary user, or move the project out of closed folders."
    )
    raise StartError(message)


def _can_open(prefix: list[str], paths: list[str]) -> bool:
    if shutil.which("setpriv") is None:
        message = "setpriv (package util-linux) is needed to start the embedded servers."
        raise StartError(message)
    command = [*prefix, "sh", "-c", _OPENS, "sh", *paths]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0  # noqa: S603 -- our own words
