"""How answers are described that many operations give: errors, and the headers they share."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from rest_framework import serializers

from config.lib.api import problems


class FieldProblemSerializer(serializers.Serializer[Any]):
    """What is wrong with one field."""

    field = serializers.CharField(
        help_text="The name of the field, with dots for nested fields; empty = the whole body."
    )
    code = serializers.CharField(help_text="For programs, for example `required`.")
    detail = serializers.CharField(help_text="A text for people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="The page that explains the error.")
    title = serializers.CharField(help_text="The status in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    code = serializers.CharField(help_text="For programs; it does not change.")
    detail = serializers.CharField(help_text="For people; the wording may change.")
    correlation_id = serializers.CharField(allow_blank=True, help_text="Quote it when you ask for help.")
    errors = FieldProblemSerializer(many=True, required=False, help_text="The fields that are wrong.")  # type: ignore[assignment]


def response(status: int, listed: list[tuple[str, str]], reference: dict[str, str]) -> dict[str, Any]:
    """Describe an error: code and detail of each that may be meant."""
    return {
        "description": HTTPStatus(status).phrase,
        "content": {
            problems.MEDIA_TYPE: {
                "schema": reference,
                "examples": {code: {"value": _example(status, code, detail)} for code, detail in listed},
            }
        },
    }


def _example(status: int, code: str, detail: str) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if code == "validation_error":
        extra["errors"] = [{"field": "name", "code": "required", "detail": "This field is required."}]
    return problems.document(status, code, detail, **extra) | {
        "correlation_id": "cor_01KB2T7M3G5Q8R9S0T1V2W3X4Y"
    }


# What only those with a key, or only lists, are told.
OF_KEYS = ("RateLimit", "RateLimit-Policy", "ETag", "Link")


def headers(status: int, method: str) -> dict[str, Any]:
    """Describe the headers of an answer."""
    headers = {settings.CORRELATION_ID_HEADER: _header("The correlation id of the request.")}
    if status not in {401, 500, 503}:
        headers["RateLimit"] = _header("What is left: `r` requests for the next `t` seconds.")
        headers["RateLimit-Policy"] = _header("The limit: `q` requests in `w` seconds.")
    if status == 401:
        headers["WWW-Authenticate"] = _header("How to authenticate.")
    if status in {429, 503}:
        headers["Retry-After"] = _header("Seconds to wait.")
    if status == 200 and method == "GET":
        headers["ETag"] = _header("The version of the resource, if it can be changed.")
        headers["Link"] = _header("The address of the next page of a list, with `rel=next`.")
    return headers


def _header(description: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": description}
