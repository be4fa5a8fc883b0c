"""
How the API is described: what all operations have in common is written once, here.

`operation` stands on a view's method. Errors that any operation of its kind may give (401, 404, 429 …) are
added by what the operation is; those of its own are named with it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentRegistry
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers

from config.lib.api import answers, parsing, problems

View = TypeVar("View", bound=Callable[..., Any])
# Code and detail of one error.
Problem = tuple[str, str]

_MARK = "x-problems"
_FOR_VISITORS = "x-visitors"
# What Django's `slug` takes, and any id of ours is.
_ID = "^[-a-zA-Z0-9_]{1,100}$"
# Something that Python's strip() leaves: it takes more for white space than a JavaScript pattern's `\s`.
_SAYS_SOMETHING = r"[^\s\x1c-\x1f\x85]"
_NOT_FITTING: Problem = ("validation_error", "The request is not valid. `errors` lists the fields to fix.")
_COMMON: dict[int, Problem] = {
    401: ("unauthorized", problems.unauthorized_detail()),
    429: ("throttled", "Request was throttled. Expected available in 12 seconds."),
    500: ("internal_error", problems.INTERNAL_ERROR),
    503: ("unavailable", "The service is not available right now. Try again soon."),
}
INSUFFICIENT_SCOPE: Problem = ("insufficient_scope", "This API key may not do this. It needs more rights.")
_OPERATORS_ONLY: Problem = ("permission_denied", "This operation needs an operator's API key.")
_BODY: dict[int, Problem] = {
    413: ("payload_too_large", f"A body may have at most {parsing.MOST_BYTES} bytes."),
    415: ("unsupported_media_type", problems.unsupported_media_type_detail(["application/json"])),
}
_UNREADABLE: Problem = (
    "parse_error",
    "The body is not valid JSON: Expecting value: line 1 column 1 (char 0).",
)
_REPEATED: Problem = ("parameter_repeated", "Send each query parameter only once.")
_IDEMPOTENCY: dict[int, list[Problem]] = {
    400: [("idempotency_key_invalid", "An Idempotency-Key must have 1 to 255 visible ASCII characters.")],
    409: [("idempotency_key_in_use", "A request with this Idempotency-Key is in progress. Try again soon.")],
    422: [("idempotency_key_reused", "This Idempotency-Key was used for another request. Use a new one.")],
}
_NO_IDEMPOTENCY: Problem = (
    "idempotency_key_missing",
    "Send an `Idempotency-Key` header, so that the request can be repeated safely.",
)
# Visitors of web chats have a session and no key, and come from a page.
_VISITORS: dict[int, Problem] = {
    401: ("session_invalid", "The session is missing or has expired. Start a new one."),
    403: ("origin_not_allowed", "This chat is not allowed on that page. Check `allowed_origins`."),
    429: ("throttled", "Too many requests. Try again in 12 seconds."),
}
_CHANGED: Problem = ("precondition_failed", "It has changed since you read it. Read it again, then repeat.")


def operation(
    *,
    summary: str,
    description: str,
    tag: str,
    operation_id: str,
    responses: Mapping[Any, Any],
    request: Any = None,
    query: type[serializers.Serializer[Any]] | None = None,
    errors: Mapping[int, Sequence[Problem]] | None = None,
    request_example: Any = None,
    response_example: Any = None,
    requires_idempotency_key: bool = False,
    shows_secret: bool = False,
    if_match: bool = False,
    operators_only: bool = False,
    visitors: str = "",
    is_public: bool = False,
    media_type: str = "text/csv",
) -> Callable[[View], View]:
    """
    Describe an operation.

    `responses` gives a serializer (or None) by status of success, or by status and media type; `errors` gives
    code and detail of what else it may answer.
    Every POST with an API key reads an Idempotency-Key; with `requires_idempotency_key` it must have one.
    A response that `shows_secret` is replayed to the same API key only. Examples are plain data.
    `visitors` tells the limits of what visitors of web chats ask for; what `is_public` needs no session.
    Text is given as a `media_type`.
    """
    own: dict[int, list[Problem]] = {status: list(problems_) for status, problems_ in (errors or {}).items()}
    parameters: list[Any] = [query] if query else []
    if if_match:
        parameters.append(_IF_MATCH)
        own.setdefault(412, []).append(_CHANGED)
    if operators_only:
        own.setdefault(403, []).append(_OPERATORS_ONLY)
    describe = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=_described(description, visitors, is_public=is_public),
        tags=[tag],
        request=request,
        responses=dict(responses),
        parameters=parameters,
        auth=[] if is_public else None,
        examples=_examples(request_example, response_example, _first(responses), media_type),
        extensions={_MARK: own, **_limits(visitors, is_public=is_public)},
    )

    def decorate(method: View) -> View:
        described: View = describe(method)
        described.reads_query = query is not None  # type: ignore[attr-defined]
        described.operation_id = operation_id  # type: ignore[attr-defined]
        described.media_types = _media_types(responses)  # type: ignore[attr-defined]
        described.requires_idempotency_key = requires_idempotency_key  # type: ignore[attr-defined]
        described.shows_secret = shows_secret  # type: ignore[attr-defined]
        return described

    return decorate


def page_serializer(
    serializer: type[serializers.Serializer[Any]], **beside: serializers.Field[Any, Any, Any, Any]
) -> serializers.Serializer[Any]:
    """Describe a page of a list, and the members `beside` it."""
    name = serializer.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {
            **beside,
            "data": serializer(many=True),
            "next_cursor": serializers.CharField(
                allow_null=True, help_text="Send it as `cursor` to get the next page; null on the last page."
            ),
        },
    )


def _first(responses: Mapping[Any, Any]) -> int:
    """Return the lowest status; one may be named with a media type."""
    return min(status if isinstance(status, int) else int(status[0]) for status in responses)


def _media_types(responses: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return the media types of an operation's responses: JSON, and that of a file if it answers one."""
    files = (status[1] for status in responses if not isinstance(status, int))
    return tuple(dict.fromkeys([*files, "application/json"]))


def _described(description: str, visitors: str, *, is_public: bool) -> str:
    """Return a description with its rate limit; what is public and not for visitors has none."""
    if is_public and not visitors:
        return description
    return f"{description}\n\n{visitors or _limit()}"


def _limits(visitors: str, *, is_public: bool) -> dict[str, Any]:
    if visitors:
        return {_FOR_VISITORS: True}
    if is_public:
        return {}
    return {"x-rate-limit": {"requests": settings.API_RATE_LIMIT, "seconds": 60}}


def _limit() -> str:
    return (
        f"Rate limit: {settings.API_RATE_LIMIT} requests a minute per API key and "
        f"{settings.API_BUSINESS_RATE_LIMIT} per business, over all operations."
    )


def _examples(request: Any, response: Any, status: int, text_type: str) -> list[OpenApiExample]:
    examples = []
    if request is not None:
        examples.append(
            OpenApiExample(
                "Request",
                value=request,
                request_only=True,
                media_type=text_type if isinstance(request, str) else "application/json",
            )
        )
    if response is not None:
        examples.append(
            OpenApiExample(
                "Response",
                value=response,
                response_only=True,
                status_codes=[str(status)],
                media_type=text_type if isinstance(response, str) else "application/json",
            )
        )
    return examples


_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$"},
    "description": (
        "A new value for each action, such as a UUID. Repeating a request with it within 24 hours does "
        "nothing and returns the first response again."
    ),
}
_IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "minLength": 1, "maxLength": 1000},
    OpenApiParameter.HEADER,
    description="The `ETag` that you read: the change is refused if somebody else was faster.",
)


class ProblemAutoSchema(AutoSchema):
    """Adds to every operation the errors and headers it shares with its like."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: ComponentRegistry
    ) -> dict[str, Any] | None:
        """Describe one operation."""
        described: dict[str, Any] | None = super().get_operation(
            path, path_regex, path_prefix, method, registry
        )
        if described is None or _MARK not in described:
            return described
        for parameter in described.get("parameters", []):
            if parameter["in"] == "path" and parameter["schema"] == {"type": "string"}:
                parameter["schema"]["pattern"] = _ID
        reference = self.resolve_serializer(answers.ProblemSerializer, "response").ref
        is_for_visitors = bool(described.pop(_FOR_VISITORS, False))
        if method == "POST" and described.get("security") and not is_for_visitors:
            self._describe_idempotency(described)
        for status, listed in self._problems(described, _VISITORS if is_for_visitors else {}).items():
            described["responses"][str(status)] = answers.response(status, listed, reference)
        for status, response in described["responses"].items():
            known = answers.headers(int(status), method)
            has_key = described.get("security") and not is_for_visitors
            headers = {name: known[name] for name in known if has_key or name not in answers.OF_KEYS}
            response.setdefault("headers", {}).update(headers)
        return described

    def _describe_idempotency(self, described: dict[str, Any]) -> None:
        """Add the Idempotency-Key, which every POST with an API key reads."""
        is_required = getattr(getattr(self.view, "post", None), "requires_idempotency_key", False)
        parameter = _IDEMPOTENCY_KEY | ({"required": True} if is_required else {})
        parameters = [*described.get("parameters", []), parameter]
        described["parameters"] = sorted(parameters, key=lambda one: str(one["name"]))
        problems = _IDEMPOTENCY | ({400: [*_IDEMPOTENCY[400], _NO_IDEMPOTENCY]} if is_required else {})
        own: dict[int, list[Problem]] = described[_MARK]
        described[_MARK] = own | {status: own.get(status, []) + listed for status, listed in problems.items()}

    def _problems(self, described: dict[str, Any], more: dict[int, Problem]) -> dict[int, list[Problem]]:
        own: dict[int, list[Problem]] = described.pop(_MARK)
        common = {status: [problem] for status, problem in (_COMMON | more).items()}
        common[400] = [_NOT_FITTING]
        media_types = getattr(getattr(self.view, str(self.method).lower()), "media_types", ())
        common[406] = [("not_acceptable", parsing.not_acceptable_detail(media_types))]
        is_public = not described.get("security")
        if is_public:
            del common[401]
        elif not more:
            common[403] = [INSUFFICIENT_SCOPE]
        if "requestBody" in described:
            common |= {status: [problem] for status, problem in _BODY.items()}
            common[400].append(_UNREADABLE)
        if any(parameter["in"] == "query" for parameter in described.get("parameters", [])):
            common[400].append(_REPEATED)
        if "{" in self.path:
            last = re.findall(r"{(\w+)}", self.path)[-1]
            common[404] = [("not_found", problems.not_found_detail(last))]
        if is_public and not more:
            # A signed link: it is not counted, and parameters that do not fit make it invalid.
            del common[400], common[429]
        for status, listed in own.items():
            common.setdefault(status, []).extend(listed)
        return dict(sorted(common.items()))

    def _postprocess_serializer_schema(self, schema: Any, serializer: Any, direction: str) -> Any:
        postprocess: Any = super()._postprocess_serializer_schema
        schema = postprocess(schema, serializer, direction)
        if direction == "request" and getattr(serializer, "is_strict", False):
            schema["additionalProperties"] = False
            for name, field in serializer.fields.items():
                property_ = schema.get("properties", {}).get(name, {})
                # Of a list or a dictionary, each text in it.
                property_ = property_.get("items") or property_.get("additionalProperties") or property_
                is_free = not {"pattern", "format", "enum"} & set(property_)
                if is_free and _must_say_something(getattr(field, "child", field)):
                    property_["pattern"] = _SAYS_SOMETHING
        return schema


def _must_say_something(field: object) -> bool:
    """Return whether a text of only white space is refused."""
    return isinstance(field, serializers.CharField) and field.trim_whitespace and not field.allow_blank
