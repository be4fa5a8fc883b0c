"""`make run`: everything in one terminal, and nothing left behind when it ends."""

import os
import sys
from typing import TextIO

from config.embedded import external, manage, paths, ports, postgres, programs, supervise, valkey
from config.embedded.choices import Choices, from_environment
from config.embedded.console import say, step
from config.embedded.errors import StartError
from config.embedded.readiness import Waiting, answers, is_whole
from config.embedded.stops import StopRequestedError, Stops
from config.embedded.supervise import Supervisor
from config.embedded.watch import stop, watch
from config.embedded.welcome import welcome
from config.lib import local_secrets

_INTERRUPTED = 130
_READY = "/health/ready"


def main() -> int:
    """Run until somebody asks to stop, and give the exit code."""
    os.chdir(paths.PROJECT)
    stops = Stops()
    stops.listen()
    try:
        choices = from_environment()
        paths.make_folders(choices.data_dir)
        with supervise.lock(choices.data_dir) as lock:
            ports.require_free(choices.ports)
            _require_stores(choices)
            return _run(choices, stops, lock)
    except StopRequestedError:
        return _INTERRUPTED
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _require_stores(choices: Choices) -> None:
    if choices.database_url:
        with step("Trying the database of DATABASE_URL"):
            external.require_database(choices.database_url)
    if choices.redis_url:
        with step("Trying the Redis of REDIS_URL"):
            external.require_redis(choices.redis_url)


def _run(choices: Choices, stops: Stops, lock: TextIO) -> int:
    environment = programs.environment(choices)
    _prepare_secret(choices)
    _prepare_stores(choices)
    stops.check()
    everything = [*programs.stores(choices), *programs.vendors(choices), *programs.app()]
    supervisor = Supervisor(choices.data_dir, everything, environment, lock)
    waiting = Waiting(supervisor, choices.logs, stops)
    is_up = False
    try:
        _start_stores(choices, waiting)
        with step("Bringing the tables up to date"):
            manage.run("migrate", logs=choices.logs, environment=environment, stops=stops)
        # Before anything is served: keys of the demo that an earlier version derived end here.
        demo = _seed(choices, environment, stops)
        supervisor.start("app")
        _await_app(choices, waiting)
        is_up = True
        say(welcome(choices, demo))
        watch(supervisor, choices.logs, stops)
    except StopRequestedError:
        return 0 if is_up else _INTERRUPTED
    finally:
        stop(supervisor, stops)


def _prepare_secret(choices: Choices) -> None:
    """
    Create the secret that webhooks are signed with: the simulator only reads it.

    :raises StartError: if it cannot be stored
    """
    if choices.simulated and not os.environ.get("WEBHOOK_SECRET"):
        try:
            local_secrets.get(choices.data_dir, "WEBHOOK_SECRET")
        except OSError as error:
            raise StartError(f"DATA_DIR cannot hold this checkout's secrets: {error}.") from None


def _prepare_stores(choices: Choices) -> None:
    if not choices.database_url:
        is_new = not (choices.data_dir / "postgres").exists()
        with step("Making a Postgres database" if is_new else "Looking at the Postgres database"):
            postgres.prepare(choices.data_dir)
    if not choices.redis_url:
        valkey.prepare(choices.data_dir)


def _start_stores(choices: Choices, waiting: Waiting) -> None:
    # The simulator too, which needs neither: it loads while the tables are looked at.
    for group in waiting.supervisor.groups - {"app"}:
        waiting.supervisor.start(group)
    if not choices.redis_url:
        waiting.until(lambda: valkey.is_ready(choices.data_dir), "Valkey")
    if not choices.database_url:
        waiting.until(lambda: postgres.is_ready(choices.data_dir), "Postgres")
        postgres.create_database(choices.data_dir)


def _seed(choices: Choices, environment: dict[str, str], stops: Stops) -> dict[str, str]:
    if not choices.seed:
        return {}
    with step("Looking after the demo account"):
        return manage.seed(logs=choices.logs, environment=environment, stops=stops)


def _await_app(choices: Choices, waiting: Waiting) -> None:
    port = choices.ports
    if choices.simulated:
        waiting.until(lambda: answers(port["SIMULATOR_PORT"], "/_simulator/health"), "simulator")
    waiting.until(lambda: answers(port["WEBHOOK_PORT"], _READY, host_variable="WEBHOOK_HOST"), "webhook")
    waiting.until(lambda: _is_served(port), "web and workers")


def _is_served(port: dict[str, int]) -> bool:
    streams = answers(port["LIVE_PORT"], _READY, host_variable="LIVE_HOST")
    return streams and is_whole(port["API_PORT"], _READY, host_variable="API_HOST")
