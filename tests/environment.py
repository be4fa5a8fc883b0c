"""
Loaded before Django's settings are: gives the tests an environment of their own.

Own data folder, own ports, nothing inherited: the tests run the same while `make run` is running here, and
with a developer's real keys in the shell.
"""

import atexit
import os
import shutil
import socket
import tempfile
from pathlib import Path

import django

# What a shell may hold and no test may see.
_FOREIGN = ("DATABASE_", "REDIS_", "OPENAI_", "WEBHOOK_", "WHATSAPP_", "INSTAGRAM_", "DJANGO_", "SIMULATOR_",
            "API_", "REPLY_", "TURN_", "WORKER_", "MESSAGE_", "PHONE_", "CREDITS_", "LOG_", "NODE_ENV",
            "FIELD_", "GRAPH_", "LIVE_", "WEBCHAT_", "CORRELATION_", "APP_", "DATA_DIR")  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Return ports that nothing listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


# For tests that ask OpenAI itself; no other test sees it.
LIVE_OPENAI_API_KEY = os.environ.get("OPENAI_API_KEY", "")

for _name in [name for name in os.environ if name.startswith(_FOREIGN)]:
    del os.environ[_name]

# A short path: sockets live below it.
DATA_DIR = Path(tempfile.mkdtemp(prefix="agent-tests-"))
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)

SIMULATOR_PORT, WEBHOOK_PORT, API_PORT, LIVE_PORT = free_ports(4)
WEBHOOK_URL = f"http://127.0.0.1:{WEBHOOK_PORT}/webhook/meta"
SIMULATOR_URL = f"http://127.0.0.1:{SIMULATOR_PORT}"
API_URL = f"http://127.0.0.1:{API_PORT}"
LIVE_URL = f"http://127.0.0.1:{LIVE_PORT}"

os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "APP_ENV": "test",
    "DATA_DIR": str(DATA_DIR),
    "SIMULATOR_PORT": str(SIMULATOR_PORT),
    "SIMULATOR_WEBHOOK_URL": WEBHOOK_URL,
    "SIMULATOR_BEHAVIOUR": '{"openai": {"latency": 0.05}, "graph": {"latency": 0.01},'
    ' "status_delays": [0.05, 0.1, 0.15]}',
    "WEBHOOK_PORT": str(WEBHOOK_PORT),
    "API_PORT": str(API_PORT),
    "LIVE_PORT": str(LIVE_PORT),
    # Fixed, and known to everybody: refused wherever strangers could reach the service.
    "DJANGO_SECRET_KEY": "development-only-secret-key-0123456789abcdef-0123456789abcdef",
    "FIELD_ENCRYPTION_KEY": "ZGV2ZWxvcG1lbnQtb25seS1maWVsZC1lbmNyeXB0LTE=",
    "WEBHOOK_SECRET": "test-app-secret",
    "WEBHOOK_VERIFY_TOKEN": "test-verify-token",
    "LOG_FORMAT": "json",
    # Short, so that a test which kills a worker need not wait half a minute; long enough for a worker that
    # lives to renew it though it gets no time for some seconds.
    "TURN_LEASE": "9000",
    "WORKER_POLL_INTERVAL": "300",
    "REPLY_DEBOUNCE": "300",
    # Short, so that a test which kills Postgres need not wait half a minute.
    "DATABASE_TIMEOUT": "10000",
    # A Redis that gets no time for a moment is not away. Tests in which it freezes set their own.
    "REDIS_TIMEOUT_MS": "5000",
    # Tests look at results, not at what was written to stdout on the way.
    "PYTHONUNBUFFERED": "1",
}

# pytest-django looks for settings before they are named here.
django.setup()
