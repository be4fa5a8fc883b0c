"""A signed webhook to post to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client

from simulator import webhooks

SECRET = "test-app-secret"
PAYLOADS = Path(__file__).parent.parent / "payloads"

Post = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def _webhook_addresses(settings) -> None:
    """Serve the addresses of the process `webhook`."""
    settings.ROOT_URLCONF = "config.webhook_urls"


@pytest.fixture
def post(client: Client) -> Post:
    """Post a body (bytes, or a document to encode) to the webhook, signed as Meta signs."""

    def send(body: Any, **headers: str) -> HttpResponse:
        raw = body if isinstance(body, bytes) else webhooks.encode(body)
        signed = {"X-Hub-Signature-256": webhooks.sign(raw, SECRET), **headers}
        return client.post(settings.WEBHOOK_PATH, raw, content_type="application/json", headers=signed)

    return send


@pytest.fixture
def sample() -> Callable[[str], bytes]:
    """Read a sample body as it came over the wire."""
    return lambda name: (PAYLOADS / f"{name}.body").read_bytes()
