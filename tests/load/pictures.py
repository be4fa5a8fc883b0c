"""The picture that customers send: one file in the simulator, of the size that a phone sends."""

import base64
import json
import random
import urllib.request
from dataclasses import dataclass
from functools import cached_property

from simulator.exchange import Json
from simulator.graph_media import TINY_PNG, Media

_TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Picture:
    """A PNG file: the simulator's tiny picture with bytes after its end."""

    media_id: str
    size_bytes: int

    @cached_property
    def media(self) -> Media:
        """Return the file."""
        padding = random.Random(1).randbytes(self.size_bytes - len(TINY_PNG))
        return Media(TINY_PNG + padding, "image/png")

    @cached_property
    def _sha256(self) -> str:
        return self.media.sha256_base64()

    def content(self, *, caption: str) -> Json:
        """Return the content of a webhook's message with this picture."""
        return {
            "caption": caption,
            "mime_type": self.media.mime_type,
            "sha256": self._sha256,
            "id": self.media_id,
        }

    def register(self, simulator_url: str) -> None:
        """Store the file in the simulator."""
        document = {
            "id": self.media_id,
            "mime_type": self.media.mime_type,
            "data": base64.b64encode(self.media.data).decode(),
        }
        request = urllib.request.Request(f"{simulator_url}/_simulator/media", json.dumps(document).encode())
        urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()


PICTURE = Picture("bench-picture", 64 * 1024)
