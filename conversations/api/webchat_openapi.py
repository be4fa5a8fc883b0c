"""How the OpenAPI document describes visitors' sessions."""

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class VisitorScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The session's token as a Bearer token."""

    target_class = "conversations.api.webchat_access.VisitorAuthentication"
    name = "visitor"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002  (the library's signature)
        """Describe where the token goes."""
        return {"type": "http", "scheme": "bearer", "description": "The token of a visitor's session."}
