"""Which addresses the OpenAPI document describes."""

from typing import Any

from drf_spectacular.generators import SchemaGenerator


class ServiceGenerator(SchemaGenerator):
    """Describes the addresses of `web` and `webhook` as one API."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        from config import urls, webhook_urls  # noqa: PLC0415  (the pages that show the document are among them)

        kwargs["patterns"] = [*urls.urlpatterns, webhook_urls.webhook]
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
