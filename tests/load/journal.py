"""What the simulator saw, fetched from its memory after the load so that nothing is written meanwhile."""

import json
import urllib.request
from typing import Any
from urllib.parse import urlencode

from tests.load.judgement import Call, Post, Send
from tests.load.plan import TOKEN

_TIMEOUT_SECONDS = 120
_ALL = 10_000_000


class Journal:
    """Reads on from where it stopped reading."""

    def __init__(self, simulator_url: str) -> None:
        self._url = simulator_url
        self._read = 0

    def skip(self) -> None:
        """Go past everything so far."""
        self._read = self._get("requests/count", since_seq=self._read)["last_seq"]

    def clear(self) -> None:
        """Have the simulator forget everything so far."""
        request = urllib.request.Request(f"{self._url}/_simulator/requests", method="DELETE")
        urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS).close()

    def calls(self) -> list[Call]:
        """The calls of the model that were answered."""
        return [
            Call(
                _tokens(entry["body"]["input"]),
                entry["t"],
                entry["t_done"],
                pictures=pictures_in(entry["body"]["input"]),
            )
            for entry in self._entries(api="openai", path="/v1/responses")
            if entry["status"] == 200
        ]

    def sends(self) -> list[Send]:
        """The messages posted to Graph, in the order they arrived; read marks and typing are none."""
        return [
            Send(_tokens(entry["body"]["text"]), entry["body"]["to"], entry["t"])
            for entry in self._entries(api="graph", path="/messages")
            if entry["status"] == 200 and "text" in entry["body"]
        ]

    def status_posts(self) -> list[Post]:
        """The webhooks by which the simulator told of its deliveries."""
        return [
            Post(entry["t"], entry["t"], entry["t_done"] or entry["t"], entry["status"] or 0)
            for entry in self._entries(api="webhook", path="")
        ]

    def counts(self) -> dict[str, int]:
        """How many requests of each kind there were."""
        kinds = {
            "model calls": {"api": "openai", "path": "/v1/responses"},
            "other calls to OpenAI": {"api": "openai", "path": "/v1/conversations"},
            "posts to Graph": {"api": "graph"},
            "status webhooks": {"api": "webhook"},
        }
        return {
            name: self._get("requests/count", since_seq=self._read, **wanted)["count"]
            for name, wanted in kinds.items()
        }

    def _entries(self, **wanted: str) -> list[dict[str, Any]]:
        return self._get("requests", since_seq=self._read, limit=_ALL, **wanted)

    def _get(self, name: str, /, **query: str | int) -> Any:
        url = f"{self._url}/_simulator/{name}?{urlencode(query)}"
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            return json.load(answer)


def pictures_in(content: object) -> int:
    """Count the pictures in the input of a model call, or in the parts of one of its messages."""
    items = content if isinstance(content, list) else []
    return sum((item.get("type") == "input_image") + pictures_in(item.get("content")) for item in items)


def _tokens(content: object) -> tuple[str, ...]:
    return tuple(TOKEN.findall(json.dumps(content)))
