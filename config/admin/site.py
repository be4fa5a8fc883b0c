"""The admin site: finds every room's pages, and opens them to verified sessions only."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin import autodiscover
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from unfold.sites import UnfoldAdminSite

from config.admin import known_browsers, second_factor, sessions
from config.admin.account import AccountPages, onward_from, with_next
from config.admin.login import PasswordChangeForm, refuse


class Site(UnfoldAdminSite):
    """
    The one gate of the admin.

    Each of its views, and each button, is wrapped in `admin_view`, which asks `has_permission`.
    """

    def has_permission(self, request: HttpRequest) -> bool:
        """Check for an active staff member whose session has passed the second factor."""
        return bool(super().has_permission(request)) and second_factor.is_satisfied(request)

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of one's own account."""
        return [*AccountPages(self).urls(), *super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Ask for the password, then lead on to the second factor where one is needed."""
        if request.method == "GET" and super().has_permission(request) and not self.has_permission(request):
            return HttpResponseRedirect(with_next("admin:second_factor", onward_from(request)))
        response: HttpResponse = super().login(request, extra_context)
        if request.method != "POST":
            return response
        if isinstance(response, HttpResponseRedirect):
            sessions.remove_expired()
            if not self.has_permission(request):
                return HttpResponseRedirect(with_next("admin:second_factor", response.url))
            known_browsers.remember(response, request.user.get_username())
        else:
            refuse(response)
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Change one's own password, which ends one's other sessions."""
        request.current_app = self.name
        view = _PasswordChangeView.as_view(
            extra_context={**self.each_context(request), **(extra_context or {})}
        )
        return refuse(cast("HttpResponse", view(request)))


class _PasswordChangeView(PasswordChangeView):
    form_class = PasswordChangeForm

    def get_success_url(self) -> str:
        return reverse("admin:password_change_done")

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)
        form.request = self.request
        return form

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        sessions.end_all(form.user, except_key=self.request.session.session_key)
        return response


def urls() -> Any:
    """Return the addresses of the admin."""
    autodiscover()
    from config.admin import staff  # noqa: F401, PLC0415  (replaces Django's own pages)

    return admin.site.urls
