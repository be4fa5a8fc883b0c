"""The environment of the measured processes: ports, secrets and data of their own, nothing inherited."""

import base64
import json
import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path

from config.embedded import paths
from tests.load.tree import Service

# Variables that a shell may hold and the measured system must not see; `--env` sets them on purpose.
_FOREIGN = (
    "API_", "APP_", "CELERY_", "CORRELATION_", "CREDITS_", "DATABASE_", "DATA_DIR", "DJANGO_", "EVENT_",
    "EXTRACT", "FIELD_", "GRAPH_", "HEALTH_", "INSTAGRAM_", "LIVE_", "LOG_", "MESSAGE_", "NODE_ENV",
    "OPENAI_", "PHONE_", "PYTHON", "REDIS_", "REPLY_", "SIMULATOR_", "STORAGE_", "TAKEOVER_", "TURN_",
    "TYPING_", "VIRTUAL_ENV", "WEBCHAT_", "WEBHOOK_", "WEB_", "WHATSAPP_", "WORKER_",
)  # fmt: skip
_BEHAVIOUR = {
    "openai": {"latency": {"mean": 1.0, "spread": 0.3}},
    "graph": {"latency": 0.05},
    "statuses": True,
}


def of(service: Service, data_dir: Path, changes: dict[str, str]) -> dict[str, str]:
    """Return the variables for a service's processes and for the simulator; `changes` come last."""
    webhook_port, simulator_port = _free_ports(2)
    simulator = f"http://127.0.0.1:{simulator_port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return inherited | {
        "PATH": os.pathsep.join([str(service.binaries), os.environ.get("PATH") or os.defpath]),
        "PYTHONUNBUFFERED": "1",
        "APP_ENV": "production",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": paths.postgres_url(data_dir),
        "REDIS_URL": paths.valkey_url(data_dir),
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(60),
        "DJANGO_ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DJANGO_SECURE_SSL_REDIRECT": "false",
        "FIELD_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "WEBHOOK_SECRET": secrets.token_hex(16),
        "WEBHOOK_VERIFY_TOKEN": secrets.token_hex(16),
        "WEBHOOK_HOST": "127.0.0.1",
        "WEBHOOK_PORT": str(webhook_port),
        "OPENAI_API_KEY": f"sk-{secrets.token_hex(24)}",
        "OPENAI_BASE_URL": f"{simulator}/v1",
        "WHATSAPP_API_BASE_URL": f"{simulator}/v25.0",
        "INSTAGRAM_API_BASE_URL": f"{simulator}/v25.0",
        "TYPING_INDICATOR": "false",
        "REPLY_DEBOUNCE": "0",
        "REPLY_BUDGET": "1000000",
        "HEALTH_ROLES": ",".join(service.roles()),
        "LOG_LEVEL": "warning",
        "SIMULATOR_HOST": "127.0.0.1",
        "SIMULATOR_PORT": str(simulator_port),
        "SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{webhook_port}/webhook/meta",
        "SIMULATOR_BEHAVIOUR": json.dumps(_BEHAVIOUR),
        "SIMULATOR_JOURNAL_SIZE": "3000000",
        **changes,
    }  # fmt: skip


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
