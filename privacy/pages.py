"""Meta's data deletion callback, and the page that says how far a deletion is."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from config.lib import actors
from config.lib.actors import Actor, ActorKind
from privacy import deletion_callback, signed_request
from privacy.models import DeletionRequest
from privacy.signed_request import SignedRequestError

_META = Actor(ActorKind.SYSTEM, "meta", name="Meta")


@method_decorator(csrf_exempt, name="dispatch")
class DeletionCallbackView(View):
    """Where Meta posts `signed_request`."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Erase the person, and answer where to look and a code."""
        try:
            found = signed_request.read(request.POST.get("signed_request", "")[:10_000])
        except SignedRequestError:
            return JsonResponse({"error": "The signed request cannot be read."}, status=400)
        with actors.acting(_META):
            begun = deletion_callback.begin(str(found.get("user_id", ""))[:150])
        base = str(settings.WEBCHAT_WIDGET_URL).rpartition("/")[0]
        url = base + reverse("deletion-status", kwargs={"code": begun.code})
        return JsonResponse({"url": url, "confirmation_code": begun.code})


class DeletionStatusView(View):
    """How far a deletion is, for the person who asked for it."""

    http_method_names = ("get", "head")

    def get(self, request: HttpRequest, code: str) -> HttpResponse:
        """Show it."""
        found = DeletionRequest.objects.filter(pk=code).first()
        if found is None:
            raise Http404
        context = {"progress": deletion_callback.progress(found).value, "request": found}
        response = render(request, "privacy/deletion.html", context)
        response["Cache-Control"] = "no-store"
        return response
