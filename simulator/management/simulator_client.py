"""The simulator's control endpoints, as the command uses them."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core.management.base import CommandError

TIMEOUT_SECONDS = 30
OK = 200


class SimulatorClient:
    """Talks to one running simulator."""

    def __init__(self, url: str) -> None:
        """Remember where it is."""
        self._url = url.rstrip("/")

    def last_seq(self) -> int:
        """Return the journal's newest number."""
        return int(self._call("GET", "requests/count")["last_seq"])

    def deliver(self, order: dict[str, Any]) -> dict[str, Any]:
        """Have a customer write, and return what came of it."""
        found: dict[str, Any] = self._call("POST", "deliver", order)
        return found

    def sends_statuses(self) -> bool:
        """Tell whether sent, delivered and read are told at all."""
        return bool(self._call("GET", "behaviour")["statuses"])

    def sends_to(self, recipient: str, *, since_seq: int) -> Iterator[dict[str, Any]]:
        """Return the messages sent to a customer, read receipts and typing left out."""
        plain = recipient.lstrip("+")
        for entry in self._requests(api="graph", path="/messages", contains=plain, since_seq=since_seq):
            body = entry["body"] or {}
            to = body.get("to") or (body.get("recipient") or {}).get("id") or ""
            if _digits(str(to)) == _digits(plain) and not body.get("sender_action"):
                yield entry

    def statuses(self, *, since_seq: int) -> Iterator[dict[str, Any]]:
        """Return the statuses told to the webhook."""
        for entry in self._requests(api="webhook", contains='"statuses"', since_seq=since_seq):
            if entry["status"] == OK:
                for item in entry["body"]["entry"]:
                    for change in item["changes"]:
                        yield from change["value"].get("statuses", ())

    def _requests(self, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._call("GET", f"requests?{urlencode(filters)}")
        return found

    def _call(self, method: str, what: str, document: dict[str, Any] | None = None) -> Any:
        parts = urlsplit(self._url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
        body = None if document is None else json.dumps(document)
        try:
            connection.request(method, f"{parts.path}/_simulator/{what}", body)
            response = connection.getresponse()
            answered = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            message = f"The simulator does not answer at {self._url} — is `make run` running?"
            raise CommandError(message) from None
        finally:
            connection.close()
        if response.status != OK:
            raise CommandError(f"The simulator refused: {answered.get('error')}")
        return answered


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
