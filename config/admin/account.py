"""Pages about one's own account: the second factor and the sessions; and other people's sessions."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from unfold.widgets import UnfoldAdminTextInputWidget

from config.admin import attempts, known_browsers, second_factor, sessions
from config.admin.login import refusal, refuse
from config.admin.second_factor import staff_member

View = Callable[..., HttpResponse]


class CodeForm(forms.Form):
    """Asks for a code of the authenticator app."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={
                "autocomplete": "one-time-code",
                "autofocus": "",
                "autocapitalize": "none",
                "spellcheck": "false",
            }
        ),
    )

    def check(self, compare: Callable[[str], Any]) -> Any:
        """Return the result of comparing the code; None, with an error in the form, if it was refused."""
        if not self.is_valid():
            return None
        try:
            return compare(self.cleaned_data["code"])
        except second_factor.WrongCodeError:
            self.add_error("code", "This code is wrong or was used before. Enter the one the app shows now.")
        except second_factor.UnreadableSecretError:
            self.add_error(
                "code", "The secret of your authenticator cannot be read. Ask a superuser to reset it."
            )
        except attempts.TooManyAttemptsError as error:
            self.add_error("code", refusal(error))
        return None


class AccountPages:
    """The views, for one admin site."""

    def __init__(self, site: AdminSite) -> None:
        self._site = site

    def urls(self) -> list[URLPattern]:
        """Return the addresses; those of the second factor are open with the password alone."""
        own, admin = self._with_password, self._site.admin_view
        return [
            path("second-factor/", own(self.verify), name="second_factor"),
            path("second-factor/set-up/", own(self.set_up), name="second_factor_set_up"),
            path("second-factor/sign-out/", own(self.sign_out), name="second_factor_sign_out"),
            path("second-factor/recovery-codes/", admin(self.renew_codes), name="recovery_codes"),
            path("account/", admin(self.account), name="account"),
            path("account/end-session/", admin(self.end_session), name="account_end_session"),
            path("staff/<int:user_id>/sessions/", admin(self.staff_sessions), name="staff_sessions"),
        ]

    def verify(self, request: HttpRequest) -> HttpResponse:
        """Ask for a code, and open the admin with it."""
        onward = onward_from(request)
        if second_factor.is_satisfied(request):
            return HttpResponseRedirect(onward)
        if not second_factor.has_authenticator(staff_member(request)):
            return HttpResponseRedirect(with_next("admin:second_factor_set_up", onward))
        form = CodeForm(request.POST or None, label_suffix="")
        if request.method == "POST" and form.check(lambda code: second_factor.verify(request, code)):
            response = HttpResponseRedirect(onward)
            known_browsers.remember(response, request.user.get_username())
            return response
        return self._page(
            request, "second_factor", {"form": form, "title": "Enter your code", "next": onward}
        )

    def set_up(self, request: HttpRequest) -> HttpResponse:
        """Show the secret for an authenticator app, and keep it once a code proves that the app has it."""
        if second_factor.has_authenticator(staff_member(request)) and not second_factor.is_verified(request):
            return HttpResponseRedirect(with_next("admin:second_factor", onward_from(request)))
        form = CodeForm(request.POST or None, label_suffix="")
        # On a phone the focus would scroll past the QR code.
        form.fields["code"].widget.attrs.pop("autofocus")
        if request.method == "POST":
            codes = form.check(lambda code: second_factor.confirm(request, code))
            if codes:
                response = self._codes(request, codes)
                known_browsers.remember(response, request.user.get_username())
                return response
        enrolment = second_factor.begin(request)
        return self._page(
            request,
            "second_factor_set_up",
            {
                "form": form,
                "title": "Set up your second factor",
                "next": onward_from(request),
                "secret": " ".join(enrolment.secret[at : at + 4] for at in range(0, 32, 4)),
                "qr_code": segno.make(enrolment.url, error="m").svg_data_uri(scale=5, light="#fff"),
            },
        )

    def sign_out(self, request: HttpRequest) -> HttpResponse:
        """Sign out before the second factor: Django's own page is open to verified sessions only."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        logout(request)
        return HttpResponseRedirect(reverse("admin:login"))

    def renew_codes(self, request: HttpRequest) -> HttpResponse:
        """Replace the recovery codes and show the new ones."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not second_factor.is_verified(request):
            raise PermissionDenied
        return self._codes(request, second_factor.renew_recovery_codes(staff_member(request)))

    def account(self, request: HttpRequest) -> HttpResponse:
        """Show the second factor and the sessions of who is signed in."""
        return self._page(
            request,
            "account",
            {
                "title": "Your account",
                "mode": settings.ADMIN_SECOND_FACTOR,
                "has_authenticator": second_factor.has_authenticator(staff_member(request)),
                "is_verified": second_factor.is_verified(request),
                "codes_left": second_factor.recovery_codes_left(staff_member(request)),
                "sessions": sessions.of_user(staff_member(request), current_key=request.session.session_key),
                "end_url": reverse("admin:account_end_session"),
            },
        )

    def end_session(self, request: HttpRequest) -> HttpResponse:
        """End one session of who is signed in, or all others."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        _end(request, staff_member(request), except_key=request.session.session_key)
        return HttpResponseRedirect(reverse("admin:account"))

    def staff_sessions(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Show a superuser the sessions of a staff member, and end them."""
        if not request.user.is_superuser:
            raise PermissionDenied
        user = get_object_or_404(User, pk=user_id)
        if request.method == "POST":
            _end(request, user, except_key=request.session.session_key)
            second_factor.log(user, actor=staff_member(request), message="Sessions ended.")
            return HttpResponseRedirect(request.path)
        return self._page(
            request,
            "account",
            {
                "title": f"Sessions of {user.get_username()}",
                "owner": user,
                "sessions": sessions.of_user(user, current_key=request.session.session_key),
                "end_url": request.path,
            },
        )

    def _codes(self, request: HttpRequest, codes: list[str]) -> HttpResponse:
        return self._page(
            request,
            "recovery_codes",
            {"title": "Recovery codes", "codes": codes, "next": onward_from(request)},
        )

    def _page(self, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
        response = TemplateResponse(
            request, f"admin/{name}.html", {**self._site.each_context(request), **context}
        )
        return refuse(response)

    def _with_password(self, view: View) -> View:
        """Open a view to staff who gave their password, verified or not."""

        @never_cache
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not AdminSite.has_permission(self._site, request):
                return HttpResponseRedirect(reverse("admin:login"))
            return view(request, *args, **kwargs)

        return inner


def _end(request: HttpRequest, user: User, *, except_key: str | None) -> None:
    """End the session that a form names, or without a name all but one."""
    session_id = request.POST.get("session")
    if session_id is None:
        count = sessions.end_all(user, except_key=except_key)
        messages.success(request, f"{count} session{'' if count == 1 else 's'} ended.")
    elif sessions.end(user, session_id):
        messages.success(request, "The session has ended.")
    else:
        messages.info(request, "This session had ended already.")


def onward_from(request: HttpRequest) -> str:
    """Return the page that was asked for first, if it is one of this admin."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if is_safe else reverse("admin:index")


def with_next(name: str, onward: str) -> str:
    """Return the address of a page that leads on to another one."""
    return f"{reverse(name)}?{urlencode({'next': onward})}"
