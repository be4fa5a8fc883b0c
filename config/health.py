"""Health: `live` touches nothing; `ready` tells which parts are not as they should be."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import readiness
from config.lib import roles

_READY = inline_serializer(
    "Ready",
    {
        "status": serializers.ChoiceField(
            ["ok", "degraded", "unavailable"],
            help_text="`unavailable` = send no requests; `degraded` = send requests, but find out what is "
            "wrong.",
        ),
        "parts": serializers.DictField(
            child=serializers.ChoiceField([state.value for state in readiness.State]),
            help_text="Returns the state of Postgres, its migrations, Redis and each role.",
        ),
        "since": serializers.DictField(
            child=serializers.DateTimeField(allow_null=True),
            help_text="For each part that is `slow` or `away`, when it was last `ok`; null = not known.",
        ),
        "unread_queues": serializers.ListField(
            child=serializers.CharField(), help_text="Queues that no running process reads."
        ),
    },
)
_LAST_OK = "2026-11-24T12:00:00Z"


def _example(status: str, states: dict[str, str], *, unread: tuple[str, ...] = ()) -> dict[str, Any]:
    names = ("postgres", "migrations", "redis", *roles.ROLES)
    since = {name: _LAST_OK for name, state in states.items() if state != "unknown"}
    return {
        "status": status,
        "parts": {**dict.fromkeys(names, "ok"), **states},
        "since": since,
        "unread_queues": list(unread),
    }


class _PublicView(APIView):
    authentication_classes = ()
    permission_classes = ()
    http_method_names = ("get", "post", "head")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Forbid caching."""
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class LiveView(_PublicView):
    """Says that the process answers."""

    @extend_schema(
        operation_id="check_liveness",
        summary="Liveness",
        description="Answers as long as the process runs. It uses neither Postgres nor Redis.",
        tags=["Health"],
        auth=[],
        responses=inline_serializer(
            "Live", {"status": serializers.ChoiceField(["ok"]), "version": serializers.CharField()}
        ),
        examples=[OpenApiExample("Response", {"status": "ok", "version": "0.1.0"})],
    )
    def get(self, _request: Request) -> Response:
        """Answer."""
        return Response({"status": "ok", "version": settings.APP_VERSION})


class ReadyView(_PublicView):
    """Says whether work can be taken in, and which parts are away."""

    @extend_schema(
        operation_id="check_readiness",
        summary="Readiness",
        description="503 when Postgres is away or read-only, or migrations are missing; else 200, which is "
        "`degraded` while any other part is not `ok` or a queue is not read.",
        tags=["Health"],
        auth=[],
        responses={200: _READY, 503: _READY},
        examples=[
            OpenApiExample("All is well", _example("ok", {}), status_codes=["200"]),
            OpenApiExample(
                "The notifier is away",
                _example("degraded", {"notifier": "away"}, unread=("notify",)),
                status_codes=["200"],
            ),
            OpenApiExample("Redis is slow", _example("degraded", {"redis": "slow"}), status_codes=["200"]),
            OpenApiExample(
                "Postgres is away",
                _example("unavailable", dict.fromkeys(roles.ROLES, "unknown") | {"postgres": "away"}),
                status_codes=["503"],
            ),
        ],
    )
    def get(self, _request: Request) -> Response:
        """Check every part."""
        status, body = readiness.report()
        return Response(body, status=status)
