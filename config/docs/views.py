"""The documentation's pages and samples."""

from functools import lru_cache
from http import HTTPStatus

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.generic import View

from config.docs import library, links, markdown, navigation
from config.docs.library import File


class DocumentationView(View):
    """Shows a page, or gives a sample as plain text."""

    http_method_names = ["get", "head"]

    def get(self, request: HttpRequest, address: str = "") -> HttpResponse:
        """Answer what stands at an address; 404 for any other."""
        file = library.addresses().get(address)
        if file is None:
            raise Http404
        if not file.is_page:
            return HttpResponse(file.path.read_text(), content_type="text/plain; charset=utf-8")
        context = {
            "file": file,
            "page": _rendered(file, file.path.stat().st_mtime_ns),
            "groups": navigation.groups(),
        }
        return render(request, "docs/page.html", context, status=HTTPStatus.OK)


@lru_cache(maxsize=200)
def _rendered(file: File, changed_at: int) -> markdown.Page:  # noqa: ARG001  (part of the key)
    """Render a page once for each time it was changed."""
    return markdown.render(file.path.read_text(), resolve=links.resolver(file.name))
