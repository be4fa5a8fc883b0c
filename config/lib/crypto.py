"""
Secrets at rest: AES-256-GCM, bound to the row they belong to.

A token reads `v1.<key id>.<nonce and ciphertext>`. The context (such as `phone_numbers:access_token:123`) is
authenticated with it, so a ciphertext copied into another row does not decrypt.
"""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


class DecryptionError(Exception):
    """The secret was encrypted with a key we do not have, for another row, or was damaged."""


def _keys() -> dict[str, bytes]:
    raw = [base64.b64decode(key) for key in settings.FIELD_ENCRYPTION_KEYS]
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in raw}


def encrypt(secret: str, *, context: str) -> str:
    """Encrypt with the newest key of FIELD_ENCRYPTION_KEY."""
    key_id, key = next(iter(_keys().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, secret.encode(), context.encode())
    return f"v1.{key_id}.{base64.urlsafe_b64encode(sealed).decode()}"


def decrypt(token: str, *, context: str) -> str:
    """
    Decrypt with whichever configured key it was encrypted with.

    :raises DecryptionError: if that key is not configured, or the context is not the one it was encrypted for
    """
    version, _, rest = token.partition(".")
    key_id, _, sealed = rest.partition(".")
    key = _keys().get(key_id)
    if version != "v1" or key is None:
        raise DecryptionError("encrypted with a key that FIELD_ENCRYPTION_KEY does not hold")
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise DecryptionError("damaged, or encrypted for another row") from error
