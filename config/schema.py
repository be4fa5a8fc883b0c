"""The OpenAPI document, made once a process, and the pages it is browsed in."""

from functools import lru_cache
from typing import Any

from csp.decorators import csp_update
from django.urls import path
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
    SpectacularYAMLAPIView,
)

from config.openapi import ServiceGenerator

# Redoc writes its styles into the page and searches in a worker.
_REDOC = {"style-src": ["'self'", "'unsafe-inline'"], "worker-src": ["'self'", "blob:"]}


class OnceGenerator(ServiceGenerator):
    """The document is the same for everybody, and takes seconds to make."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:  # noqa: ARG002, FBT001, FBT002  (the library's signature)
        """Return the document."""
        return _document()


@lru_cache(maxsize=1)
def _document() -> Any:
    return ServiceGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


urlpatterns = [
    path(
        "schema",
        SpectacularSwaggerSplitView.as_view(url_name="schema-json"),
        name="schema",
    ),
    path(
        "schema/redoc",
        csp_update(_REDOC)(SpectacularRedocView.as_view(url_name="schema-json")),
        name="redoc",
    ),
    path(
        "schema/openapi.json",
        SpectacularJSONAPIView.as_view(generator_class=OnceGenerator),
        name="schema-json",
    ),
    path(
        "schema/openapi.yaml",
        SpectacularYAMLAPIView.as_view(generator_class=OnceGenerator),
        name="schema-yaml",
    ),
]
