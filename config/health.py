"""
Health: `live` touches nothing; `ready` fails only for what this process cannot work without.

Redis, workers and the sweeper being away degrades the service but loses nothing, so they are named and the
answer stays 200.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.lib import heartbeat, redis

# Under a second in all, whatever hangs.
PATIENCE = 0.8

_pool = ThreadPoolExecutor(8, thread_name_prefix="health")
_looks: dict[str, Future[bool]] = {}
_migrated: set[str] = set()


_READY = inline_serializer(
    "Ready",
    {
        "status": serializers.ChoiceField(["ok", "degraded", "unavailable"]),
        "parts": serializers.DictField(child=serializers.ChoiceField(["ok", "away"])),
    },
)


def _example(status: str, **away: str) -> dict[str, Any]:
    names = ("postgres", "migrations", "redis", "worker", "sweeper")
    return {"status": status, "parts": {**dict.fromkeys(names, "ok"), **away}}


class _PublicView(APIView):
    authentication_classes = ()
    permission_classes = ()
    http_method_names = ("get", "post", "head")

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Have nobody keep an answer."""
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class LiveView(_PublicView):
    """Says that the process answers."""

    @extend_schema(
        operation_id="check_liveness",
        summary="Liveness",
        description="Answers as long as the process runs; touches neither Postgres nor Redis.",
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
        description="503 when Postgres is away or migrations are missing; else 200, naming what is away.",
        tags=["Health"],
        auth=[],
        responses={200: _READY, 503: _READY},
        examples=[
            OpenApiExample("All is well", _example("ok"), status_codes=["200"]),
            OpenApiExample("Redis is away", _example("degraded", redis="away"), status_codes=["200"]),
            OpenApiExample(
                "Postgres is away", _example("unavailable", postgres="away"), status_codes=["503"]
            ),
        ],
    )
    def get(self, _request: Request) -> Response:
        """Look at every part at once, within PATIENCE."""
        parts = _look(
            {
                "postgres": _postgres,
                "migrations": _migrations,
                "redis": _redis,
                "worker": lambda: heartbeat.alive("worker"),
                "sweeper": lambda: heartbeat.alive("sweeper"),
            }
        )
        if parts["postgres"] != "ok" or parts["migrations"] != "ok":
            return Response({"status": "unavailable", "parts": parts}, status=503)
        is_whole = all(state == "ok" for state in parts.values())
        return Response({"status": "ok" if is_whole else "degraded", "parts": parts})


def _look(parts: dict[str, Callable[[], bool]]) -> dict[str, str]:
    for name, function in parts.items():
        # A look that still hangs from an earlier request is asked again, so that none pile up.
        if name not in _looks or _looks[name].done():
            _looks[name] = _pool.submit(_is_well, function)
    looks = {name: _looks[name] for name in parts}
    done, _ = wait(looks.values(), timeout=PATIENCE)
    return {name: "ok" if look in done and look.result() else "away" for name, look in looks.items()}


def _is_well(look: Callable[[], bool]) -> bool:
    try:
        return look()
    except (Error, redis.RedisUnavailableError):
        return False
    finally:
        connection.close()


def _postgres() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _migrations() -> bool:
    """Look once: a process that saw all migrations applied need not look again."""
    if "done" in _migrated:
        return True
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    _migrated.add("done")
    return True


def _redis() -> bool:
    return bool(redis.call(redis.client().ping))
