"""
Signatures of what is posted to endpoints.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets as randomness
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks import Webhook

_PREFIX = "whsec_"


def new_secret() -> str:
    """Make a secret of 256 random bits, `whsec_…`."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(32)).decode()


def headers(*, event_id: str, body: bytes, secrets: Iterable[str], timestamp: int) -> dict[str, str]:
    """Return the signature headers of a body, one signature per secret; the time is in Unix seconds."""
    at = datetime.fromtimestamp(timestamp, tz=UTC)
    signatures = [Webhook(secret).sign(event_id, at, body.decode()) for secret in secrets]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
