"""How the OpenAPI document describes API keys."""

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key in its own header, or as a Bearer token."""

    target_class = "billing.authentication.ApiKeyAuthentication"
    name = ["apiKey", "bearer"]

    def get_security_definition(self, auto_schema: object) -> list[dict[str, str]]:  # noqa: ARG002  (the library's signature)
        """Describe where the key goes."""
        return [
            {"type": "apiKey", "in": "header", "name": settings.API_KEY_HEADER},
            {"type": "http", "scheme": "bearer", "description": "The same key."},
        ]

    def get_security_requirement(self, auto_schema: object) -> list[dict[str, list[str]]]:  # noqa: ARG002
        """Describe that either scheme is accepted."""
        return [{"apiKey": []}, {"bearer": []}]
