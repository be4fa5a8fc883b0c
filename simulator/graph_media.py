"""
Media: first a description with a URL, then the bytes at that URL; on Instagram the URL alone.

https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media
"""

import base64
import hashlib
from dataclasses import dataclass

from simulator.exchange import Json

DOWNLOAD_PATH = "/whatsapp_business/attachments/"
# Instagram gives such a URL in the webhook itself; it is signed and needs no token.
INSTAGRAM_PATH = "/ig_messaging_cdn/"
TINY_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PICTURE_PREFIX = "img"


@dataclass(frozen=True, slots=True)
class Media:
    """One file."""

    data: bytes
    mime_type: str

    def sha256_base64(self) -> str:
        """Return the hash in the form webhooks use."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()

    def as_document(self, media_id: str, base_url: str) -> Json:
        """Return the description the API gives."""
        return {
            "messaging_product": "whatsapp",
            "url": f"{base_url}{DOWNLOAD_PATH}?mid={media_id}",
            "mime_type": self.mime_type,
            "sha256": hashlib.sha256(self.data).hexdigest(),
            "file_size": len(self.data),
            "id": media_id,
        }


class MediaStore:
    """The files that were registered; ids that start with `PICTURE_PREFIX` always name a tiny picture."""

    def __init__(self) -> None:
        """Start with no file."""
        self._files: dict[str, Media] = {}

    def add(self, media_id: str, media: Media) -> None:
        """Register a file."""
        self._files[media_id] = media

    def get(self, media_id: str) -> Media | None:
        """Return a file."""
        default = Media(TINY_PNG, "image/png") if media_id.startswith(PICTURE_PREFIX) else None
        return self._files.get(media_id, default)
