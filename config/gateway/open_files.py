"""Raises the process's limit of open files, as every connection takes one."""

import resource

import structlog

log = structlog.get_logger(__name__)

# As granian's --backpressure in the Procfile, and room for the database, Redis and the log.
CONNECTIONS = 4096
_OTHER_FILES = 400


def allow(wanted: int = CONNECTIONS + _OTHER_FILES) -> int:
    """Raise the soft limit to `wanted`, or as far as the machine allows it; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    if hard not in {resource.RLIM_INFINITY, -1} and hard < wanted:
        log.warning("process.few_files", wanted=wanted, allowed=hard)
        wanted = hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
