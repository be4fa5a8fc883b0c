"""Messages from a business's own server, as it signs and posts them."""

import hashlib
import hmac
import json
import time
from typing import Any

from django.conf import settings
from django.test import Client, override_settings

from tests.api.sentences import require_sentences


def server_message(chat: Any, **changes: Any) -> dict[str, Any]:
    return {
        "phone_number_id": chat.pk,
        "customer_phone": "+12025550123",
        "message_text": "Do you bake rye bread?",
        "timestamp": int(time.time()),
        "platform_type": "webchat",
        "message_id": "question-1",
    } | changes


def post_signed(body: dict[str, Any] | bytes, secret: str, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    # The process `webhook` has addresses of its own.
    with override_settings(ROOT_URLCONF="config.webhook_urls"):
        answer = Client().post(
            settings.WEBHOOK_PATH,
            raw,
            content_type="application/json",
            headers={"X-Hub-Signature-256": signature} | headers,
        )
    require_sentences(answer)
    return answer
