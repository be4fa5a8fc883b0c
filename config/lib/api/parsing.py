"""Reads JSON bodies: one meaning or none, and no more than MOST_BYTES of it."""

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from config.lib.api.problems import ProblemError

MOST_BYTES = 1024 * 1024
DEEPEST = 50


class StrictJSONParser(BaseParser):
    """Refuses what other parsers guess about: names given twice, NaN, text that no database keeps."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002  (DRF's signature)
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """
        Read a body.

        :raises ProblemError: if it is too large
        :raises ParseError: if it is no JSON, or JSON that could be read in two ways
        """
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise ProblemError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "payload_too_large",
                f"A body may have at most {MOST_BYTES} bytes.",
            )
        try:
            found = json.loads(
                raw.decode("utf-8"),
                object_pairs_hook=_once_each,
                parse_constant=_no_constant,
                parse_float=_finite,
            )
        except (ValueError, RecursionError) as error:
            reason = str(error) if type(error) in {ValueError, json.JSONDecodeError} else "not UTF-8"
            raise ParseError(f"The body is not valid JSON: {reason}") from error
        _check(found, depth=0)
        return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _check(value: object, *, depth: int) -> None:
    if depth > DEEPEST:
        raise ParseError(f"The body is nested deeper than {DEEPEST} levels.")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ParseError("Text may hold neither NUL nor half a surrogate pair.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth=depth + 1)
            _check(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth=depth + 1)


class AlwaysJSON(BaseContentNegotiation):
    """Answers JSON whatever `Accept` says: there is nothing else to choose from."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        """Give the parser for the content type; None if there is none."""
        given = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == given), None)

    def select_renderer(  # type: ignore[override]
        self,
        request: Request,  # noqa: ARG002
        renderers: list[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Give the first renderer."""
        return renderers[0], renderers[0].media_type
