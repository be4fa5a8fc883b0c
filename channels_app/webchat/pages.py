"""What browsers open: the widget's script, the chat as a page of its own, and the demo shop it stands in."""

import re
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.generic import View

from channels_app.webchat import chats
from channels_app.webchat.script import script

# A page keeps a widget for an hour and asks then whether it changed.
_CACHE = "public, max-age=3600, stale-while-revalidate=86400"
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class ScriptView(View):
    """Gives widget.js."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer the script, or that the browser has it."""
        made = script()
        is_gzipped = "gzip" in request.headers.get("Accept-Encoding", "")
        etag = f'"{made.etag}{"-gzip" if is_gzipped else ""}"'
        response: HttpResponse
        if etag in request.headers.get("If-None-Match", ""):
            response = HttpResponseNotModified()
        else:
            content = made.gzipped if is_gzipped else made.plain
            response = HttpResponse(content, content_type="text/javascript; charset=utf-8")
            if is_gzipped:
                response["Content-Encoding"] = "gzip"
        response["ETag"] = etag
        response["Cache-Control"] = _CACHE
        # It is everybody's: pages that isolate themselves may load it too.
        response["Cross-Origin-Resource-Policy"] = "cross-origin"
        response["Access-Control-Allow-Origin"] = "*"
        patch_vary_headers(response, ["Accept-Encoding"])
        return response


@method_decorator(xframe_options_exempt, name="dispatch")
class ChatPageView(View):
    """Shows a chat as a page, for links and for frames on the business's own pages."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, phone_number_id: str) -> HttpResponse:
        """Answer the page of a live chat; 404 for any other."""
        chat = chats.find(phone_number_id)
        if chat is None:
            raise Http404
        locale = request.GET.get("locale", "")
        context = {"chat": chat, "locale": locale if _LOCALE.fullmatch(locale) else ""}
        return _page(request, "webchat/chat.html", context, ancestors=chat.allowed_origins)


class DemoView(View):
    """Shows the demo shop, in development only."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer the page; 404 anywhere else."""
        if settings.APP_ENV != "development":
            raise Http404
        return _page(request, "webchat/demo.html", {"phone_number_id": chats.DEMO_NUMBER})


def _page(
    request: HttpRequest, template: str, context: dict[str, Any], *, ancestors: list[str] | None = None
) -> HttpResponse:
    response = render(request, template, context, status=HTTPStatus.OK)
    framed_by = " ".join(ancestors or ["'none'"])
    response["Content-Security-Policy"] = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            f"connect-src 'self' {_events_origin()}",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {framed_by}",
        )
    )
    response["Cache-Control"] = "no-cache"
    return response


def _events_origin() -> str:
    parts = urlsplit(settings.WEBCHAT_EVENTS_URL)
    return f"{parts.scheme}://{parts.netloc}"
