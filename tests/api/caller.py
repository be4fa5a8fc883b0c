"""Calls the API as a program would, through Django's own stack; every error it gets is a whole sentence."""

from typing import Any

from django.test import Client
from rest_framework.response import Response

from billing import keys
from tests.api.sentences import require_sentences


class Caller:
    """Somebody with a key; none and they have no key."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self._client = Client(raise_request_exception=False)

    def _ask(self, method: str, url: str, body: Any = None, **headers: str) -> Response:
        given = {"x-api-key": self.key} if self.key else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        more = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = getattr(self._client, method)(url, headers=given | named, **more)
        require_sentences(answer)
        return answer

    def get(self, url: str, **headers: str) -> Response:
        return self._ask("get", url, **headers)

    def post(self, url: str, body: Any = None, **headers: str) -> Response:
        return self._ask("post", url, {} if body is None else body, **headers)

    def patch(self, url: str, body: Any = None, **headers: str) -> Response:
        return self._ask("patch", url, {} if body is None else body, **headers)

    def put(self, url: str, body: Any = None, **headers: str) -> Response:
        return self._ask("put", url, {} if body is None else body, **headers)

    def delete(self, url: str, **headers: str) -> Response:
        return self._ask("delete", url, **headers)


def operator() -> Caller:
    return Caller(keys.create(user_id=None, name="operator")[1])


def business(user_id: str) -> Caller:
    return Caller(keys.create(user_id=user_id, name="test")[1])
