"""Finds every room's pages; only what serves them has to load them."""

from typing import Any

from django.contrib import admin


def urls() -> Any:
    """Give the addresses of the admin."""
    admin.autodiscover()
    from config.admin import staff  # noqa: F401, PLC0415  (takes the place of Django's own pages)

    return admin.site.urls
