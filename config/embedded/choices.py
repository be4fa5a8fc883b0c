"""What the environment leaves to us: which parts are embedded or simulated, and the ports."""

import os
from dataclasses import dataclass
from pathlib import Path

import environ

from config.embedded import paths
from config.embedded.errors import StartError

_PORTS = {"WEBHOOK_PORT": 3000, "API_PORT": 8080, "LIVE_PORT": 8090, "SIMULATOR_PORT": 9090}
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Choices:
    """One start's decisions, by the same rules as config/settings.py."""

    data_dir: Path
    database_url: str
    redis_url: str
    simulated: bool
    ports: dict[str, int]
    webhook_path: str
    seed: bool

    @property
    def logs(self) -> Path:
        """The folder with one log per program."""
        return self.data_dir / "log"


def from_environment() -> Choices:
    """
    Read the environment and `.env`.

    :raises StartError: if a port is not one, or in production something is left to an embedded stand-in
    """
    environ.Env.read_env(paths.PROJECT / ".env", overwrite=False)
    for name in ("DATABASE_URL", "REDIS_URL"):
        if not os.environ.get(name):
            os.environ.pop(name, None)
    production = (os.environ.get("APP_ENV") or os.environ.get("NODE_ENV")) == "production"
    missing = [name for name in ("DATABASE_URL", "REDIS_URL") if name not in os.environ]
    if production and missing:
        raise StartError(f"APP_ENV=production uses no embedded servers: set {' and '.join(missing)}.")
    return Choices(
        data_dir=Path(os.environ.get("DATA_DIR", paths.DATA_DIR)).absolute(),
        database_url=os.environ.get("DATABASE_URL", ""),
        redis_url=os.environ.get("REDIS_URL", ""),
        simulated=not production and _is_something_simulated(),
        ports={name: _port(name, default) for name, default in _PORTS.items()},
        webhook_path=os.environ.get("WEBHOOK_PATH", "/webhook/meta"),
        seed=not production,
    )


def _is_something_simulated() -> bool:
    openai_is_real = "OPENAI_API_KEY" in os.environ or "OPENAI_BASE_URL" in os.environ
    graph_is_real = "WHATSAPP_API_BASE_URL" in os.environ and "INSTAGRAM_API_BASE_URL" in os.environ
    return not (openai_is_real and graph_is_real)


def _port(name: str, default: int) -> int:
    value = os.environ.get(name) or str(default)
    if not value.isdecimal() or not 0 < int(value) <= _HIGHEST_PORT:
        raise StartError(f"{name} must be a port number, not {value!r}.")
    return int(value)
