"""
Proof that a webhook comes from Meta.

https://developers.facebook.com/docs/graph-api/webhooks/getting-started#validate-payloads
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

_FORM = re.compile(r"sha256=[0-9a-f]{64}")


def is_well_formed(header: str) -> bool:
    """Check whether a header can be a signature at all."""
    return _FORM.fullmatch(header) is not None


def is_valid(*, raw: bytes, header: str, secrets: Iterable[str]) -> bool:
    """
    Return whether `X-Hub-Signature-256` was made over these bytes with one of the app secrets.

    The bytes as they came, never re-serialised JSON; an empty secret proves nothing.
    """
    signature = header.encode("utf-8", "replace")
    matches = False
    for secret in secrets:
        expected = b"sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest().encode()
        matches |= bool(secret) and hmac.compare_digest(expected, signature)
    return matches
