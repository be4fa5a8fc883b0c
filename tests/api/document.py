"""The API as its OpenAPI document tells of it, for tests that go over all operations."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from config.lib.api.serializers import StrictSerializer
from config.openapi import ServiceGenerator

METHODS = ("get", "post", "put", "patch", "delete")
# Whoever adds an operation here says why nobody needs a key.
PUBLIC = {
    "check_liveness": "asked by orchestrators; tells nothing but that the process answers",
    "check_readiness": "asked by orchestrators; names parts, not data",
    "verify_webhook": "Meta proves itself with the token that was agreed on",
    "receive_webhook": "Meta proves itself with a signature over the body",
    "get_webchat_config": "what the widget shows to everybody on the page; asks which page that is",
    "download_media": "the link is signed, names one file and expires; whoever has it may read that file",
    "create_webchat_session": "where visitors get what they prove themselves with",
}


@dataclass(frozen=True)
class Operation:
    """A method on a path."""

    operation_id: str
    method: str
    path: str
    told: dict[str, Any]

    @property
    def is_public(self) -> bool:
        return self.operation_id in PUBLIC

    @property
    def is_for_operators(self) -> bool:
        return "permission_denied" in self.problems(403)

    @property
    def is_for_visitors(self) -> bool:
        """Tell whether it asks for a visitor's session and not for a key; tests/webchat is about those."""
        return self.told.get("security") == [{"visitor": []}]

    @property
    def is_called_by_programs(self) -> bool:
        """Tell whether developers of a business call it, and neither Meta nor visitors' browsers."""
        return not {"Webhook", "Web chat"} & set(self.told["tags"])

    @property
    def writes(self) -> bool:
        return self.method != "get"

    @property
    def names(self) -> list[str]:
        """Give the names of the path's parameters, in order."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def parameters(self, where: str) -> dict[str, dict[str, Any]]:
        return {given["name"]: given for given in self.told.get("parameters", []) if given["in"] == where}

    @property
    def body(self) -> dict[str, Any] | None:
        """Give the schema of the body."""
        content = self.told.get("requestBody", {}).get("content", {})
        return resolved(content["application/json"]["schema"]) if "application/json" in content else None

    @property
    def example(self) -> Any:
        """Give a body that fits."""
        content = self.told.get("requestBody", {}).get("content", {}).get("application/json", {})
        examples = content.get("examples", {})
        return copy.deepcopy(next(iter(examples.values()))["value"]) if examples else None

    @property
    def success(self) -> int:
        return min(int(status) for status in self.told["responses"])

    @property
    def statuses(self) -> set[int]:
        return {int(status) for status in self.told["responses"]}

    def problems(self, status: int) -> set[str]:
        """Give the codes it may answer with a status."""
        content = self.told["responses"].get(str(status), {}).get("content", {})
        return set(content.get("application/problem+json", {}).get("examples", {}))


@lru_cache(maxsize=1)
def document() -> dict[str, Any]:
    found: dict[str, Any] = ServiceGenerator().get_schema(request=None, public=True)
    return found


def operations() -> list[Operation]:
    return [
        Operation(told["operationId"], method, path, told)
        for path, methods in document()["paths"].items()
        for method, told in methods.items()
        if method in METHODS
    ]


def protected() -> list[Operation]:
    return [one for one in operations() if not (one.is_public or one.is_for_visitors)]


def below_users() -> list[Operation]:
    """Give the operations on what belongs to one user."""
    return [operation for operation in protected() if "user_id" in operation.names]


def serializer_classes() -> list[type[StrictSerializer]]:
    """Return every serializer of requests, bodies and queries alike."""
    # The document imports all views.
    document()
    found: dict[type[StrictSerializer], None] = {}
    waiting: list[type[StrictSerializer]] = [StrictSerializer]
    while waiting:
        for one in waiting.pop().__subclasses__():
            found[one] = None
            waiting.append(one)
    return [one for one in found if not one.__module__.startswith("tests.")]


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference."""
    while "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def is_success(status: str) -> bool:
    return int(status) < HTTPStatus.BAD_REQUEST
