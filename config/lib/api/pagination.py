"""
Pages of a list: each begins after the last row of the one before, found by an index.

A row that is written meanwhile neither moves the others to another page nor makes a page slower, and nothing
is counted.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import FieldError
from django.core.exceptions import ValidationError as InvalidValueError
from django.db.models import Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from config.lib.api.problems import field_error

# How many rows a page looks at where no index finds those that are asked for.
MOST_WALKED = 10_000


def page(
    rows: QuerySet[Any],
    *,
    request: Request,
    query: dict[str, Any],
    order: Sequence[str],
    serializer: type[BaseSerializer[Any]],
    walked: QuerySet[Any] | None = None,
    **beside: Any,
) -> Response:
    """
    Answer one page: `{"data": [...], "next_cursor": ...}`, and the members `beside` it.

    `query` holds `limit` and perhaps `cursor`, as `PageQuery` read them. `order` names columns, all of them
    ascending or all with a `-`; together they are unique. `walked` are the rows before the filters that no
    index follows: of those, MOST_WALKED are looked at, so such a page may be short and not be the last.

    :raises ValidationError: if the cursor is none of ours
    """
    limit, cursor = query["limit"], query.get("cursor")
    edge = _edge(walked, cursor, order) if walked is not None else None
    rows = _until(_after(rows, cursor, order), edge, order)
    fetched = list(rows.order_by(*order)[: limit + 1])
    on_page = fetched[:limit]
    following = _cursor(on_page[-1], order) if len(fetched) > limit else edge
    data = serializer(on_page, many=True, context={"request": request}).data
    response = Response({**beside, "data": data, "next_cursor": following})
    if following:
        parameters = {**request.query_params.dict(), "cursor": following}
        address = request.build_absolute_uri(f"{request.path}?{urlencode(parameters)}")
        response["Link"] = f'<{address}>; rel="next"'
    return response


def _names(order: Sequence[str]) -> list[str]:
    return [name.removeprefix("-") for name in order]


def _cursor(row: Model, order: Sequence[str]) -> str:
    values = [getattr(row, name) for name in _names(order)]
    plain = [value.isoformat() if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).decode().rstrip("=")


def _after(rows: QuerySet[Any], cursor: str | None, order: Sequence[str]) -> QuerySet[Any]:
    """Leave out what comes before the cursor, in a form that an index on `order` can follow."""
    if cursor is None:
        return rows
    return _side(rows, cursor, order, beyond="lt" if order[0].startswith("-") else "gt", place=Q(pk__in=[]))


def _until(rows: QuerySet[Any], edge: str | None, order: Sequence[str]) -> QuerySet[Any]:
    """Leave out what comes after the edge."""
    if edge is None:
        return rows
    names = _names(order)
    at_edge = Q(**dict(zip(names, _values(rows.model, edge, names), strict=True)))
    return _side(rows, edge, order, beyond="gt" if order[0].startswith("-") else "lt", place=at_edge)


def _side(rows: QuerySet[Any], cursor: str, order: Sequence[str], *, beyond: str, place: Q) -> QuerySet[Any]:
    """Keep what lies on one side of a cursor, or at the `place`."""
    names = _names(order)
    values = _values(rows.model, cursor, names)
    for n, name in enumerate(names):
        equal = dict(zip(names[:n], values[:n], strict=True))
        place |= Q(**equal, **{f"{name}__{beyond}": values[n]})
    return rows.filter(place, **{f"{names[0]}__{beyond}e": values[0]})


def _edge(walked: QuerySet[Any], cursor: str | None, order: Sequence[str]) -> str | None:
    """Return the cursor of the last row to scan; None if fewer rows are left."""
    following = _after(walked, cursor, order).order_by(*order).only(*_names(order))
    last = following[MOST_WALKED - 1 : MOST_WALKED].first()
    return None if last is None else _cursor(last, order)


def _values(model: type[Model], cursor: str, names: list[str]) -> list[Any]:
    try:
        decoded = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        values = [_field(model, name).to_python(value) for name, value in zip(names, decoded, strict=True)]
    except (ValueError, TypeError, binascii.Error, InvalidValueError, FieldError, RecursionError) as error:
        raise _invalid_cursor() from error
    if any(value is None or (isinstance(value, str) and "\0" in value) for value in values):
        raise _invalid_cursor()
    if any(isinstance(value, datetime) and value.tzinfo is None for value in values):
        raise _invalid_cursor()
    return values


def _field(model: type[Model], name: str) -> Any:
    return model._meta.get_field(name)  # noqa: SLF001  (documented: Django's model meta API)


def _invalid_cursor() -> ValidationError:
    return ValidationError(
        {
            "cursor": [
                field_error(
                    "invalid_cursor",
                    "This cursor does not belong to this list. Use `next_cursor` of the page before, with "
                    "the same filters.",
                )
            ]
        }
    )
