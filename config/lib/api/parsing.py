"""Reads JSON bodies: one meaning or none, and no more than MOST_BYTES of it."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import IO, Any

from django.http.request import MediaType
from rest_framework.exceptions import NotAcceptable, ParseError
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
            data = json.loads(
                raw.decode("utf-8"),
                object_pairs_hook=_once_each,
                parse_constant=_no_constant,
                parse_float=_finite,
            )
        except (ValueError, RecursionError) as error:
            reason = str(error) if type(error) in {ValueError, json.JSONDecodeError} else "not UTF-8"
            raise ParseError(f"The body is not valid JSON: {reason}.") from error
        _check(data, depth=0)
        return data


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _check(value: object, *, depth: int) -> None:
    if depth > DEEPEST:
        raise ParseError(f"The body must not be nested deeper than {DEEPEST} levels.")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise ParseError("Text must not contain NUL characters or unpaired surrogates.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check(name, depth=depth + 1)
            _check(member, depth=depth + 1)
    elif isinstance(value, list):
        for member in value:
            _check(member, depth=depth + 1)


def not_acceptable_detail(media_types: Iterable[str]) -> str:
    """Return the sentence for people: what an operation responds with, whatever `Accept` says."""
    named = " or ".join(f"`{media_type}`" for media_type in media_types)
    return f"The header `Accept` excludes {named}, and this operation returns nothing else."


class StrictNegotiation(BaseContentNegotiation):
    """Reads bodies by their exact content type, and refuses an `Accept` that the operation cannot meet."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser | None:  # type: ignore[override]
        """Return the parser for the content type; None if there is none."""
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(  # type: ignore[override]
        self,
        request: Request,
        renderers: list[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """
        Return the first renderer.

        :raises NotAcceptable: if `Accept` excludes everything that the operation responds with
        """
        method = "get" if request.method == "HEAD" else str(request.method).lower()
        handler = getattr(request.parser_context["view"], method, None)
        media_types = getattr(handler, "media_types", ())
        has_accept = bool(request.headers.get("Accept", "").strip())
        if has_accept and media_types and not _accepts(request.accepted_types, media_types):
            raise NotAcceptable(not_acceptable_detail(media_types))
        return renderers[0], renderers[0].media_type


def _accepts(accepted: Sequence[MediaType], media_types: Iterable[str]) -> bool:
    """Return whether one of the media types is accepted; parameters other than `q` do not matter."""
    ranges = {(one.main_type, one.sub_type) for one in accepted}
    if ranges & {("*", "*"), ("*", "")}:
        return True
    parts = (media_type.split("/") for media_type in media_types)
    return any((main, sub) in ranges or (main, "*") in ranges for main, sub in parts)
