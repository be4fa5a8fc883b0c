"""ETags of single things, so that nobody overwrites what they have not seen."""

import hashlib
from http import HTTPStatus
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from config.lib.api.problems import ProblemError


def of(data: Any) -> str:
    """Return the ETag of a representation."""
    return f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'


def tagged(data: Any, *, version: Any = None, status: int = HTTPStatus.OK, **headers: str) -> Response:
    """Answer one thing with its ETag, made of `version` where not everything that is shown counts."""
    tag = of(data if version is None else version)
    return Response(data, status=status, headers={**headers, "ETag": tag})


def check(request: Request, data: Any) -> None:
    """
    Compare `If-Match`, if it is given, with what is there now; the row behind it is locked by the caller.

    :raises ProblemError: 412 if somebody has changed it since
    """
    expected = request.headers.get("If-Match")
    if expected is None or expected.strip() == "*":
        return
    if of(data) not in {tag.strip() for tag in expected.split(",")}:
        raise ProblemError(
            HTTPStatus.PRECONDITION_FAILED,
            "precondition_failed",
            "It has changed since you read it. Read it again, then repeat.",
        )
