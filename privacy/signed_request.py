"""
Reads Meta's signed requests.

https://developers.facebook.com/docs/development/create-an-app/app-dashboard/data-deletion-callback
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from django.conf import settings

_ALGORITHM = "HMAC-SHA256"


class SignedRequestError(ValueError):
    """It was not signed by Meta with a secret of ours, or cannot be read."""


def read(signed_request: str) -> dict[str, Any]:
    """
    Return the content of a signed request: `<signature>.<content>`, both in base64url without padding.

    :raises SignedRequestError: if none of WEBHOOK_SECRET signed it, or it cannot be read
    """
    signature, _, content = signed_request.partition(".")
    given = _decoded(signature)
    if not any(hmac.compare_digest(_signature(secret, content), given) for secret in _secrets()):
        raise SignedRequestError("the signature does not fit")
    try:
        found = json.loads(_decoded(content))
    except ValueError as error:
        raise SignedRequestError("not JSON") from error
    if not isinstance(found, dict) or str(found.get("algorithm", "")).upper() != _ALGORITHM:
        raise SignedRequestError("another algorithm")
    return found


def _secrets() -> list[str]:
    return [secret for secret in settings.WEBHOOK_SECRETS if secret]


def _signature(secret: str, content: str) -> bytes:
    return hmac.new(secret.encode(), content.encode("utf-8", "replace"), hashlib.sha256).digest()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignedRequestError("not base64url") from error
