"""Pages of those who sign in here, their groups, and the log of what they did; superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.admin import second_factor, sessions
from config.admin.buttons import Button, Press
from config.admin.pages import Page, WithButtons


class _ForSuperusers:
    """A group that may manage users could give itself everything: only superusers may."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, _row: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest, _row: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, _row: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, _row: Any = None) -> bool:
        return self.has_module_permission(request)


def _reset_second_factor(press: Press) -> str:
    second_factor.reset(press.row, actor=_user(press.request))
    return f"{press.row} has no second factor any more, and was signed out everywhere."


def _sign_out(press: Press) -> str:
    is_oneself = press.row.pk == press.request.user.pk
    kept = press.request.session.session_key if is_oneself else None
    count = sessions.end_all(press.row, except_key=kept)
    return f"{count} session{'' if count == 1 else 's'} of {press.row} ended."


def _user(request: HttpRequest) -> User:
    """Return who is signed in; the pages here are for staff only."""
    return request.user  # type: ignore[return-value]


class StaffAdmin(_ForSuperusers, DjangoUserAdmin, WithButtons):  # type: ignore[type-arg]  # not at run time
    """Staff: who they are, which groups they are in, and where they are signed in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    readonly_fields = ("last_login", "date_joined", "has_second_factor", "signed_in")
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Signing in", {"fields": ("has_second_factor", "signed_in")}),
    )
    buttons = (
        Button(
            name="reset-second-factor",
            title="Reset the second factor",
            permission="auth.change_user",
            press=_reset_second_factor,
            explanation="Use this if a colleague lost their phone, and make sure that the request really "
            "comes from them. It removes the authenticator and the recovery codes and ends all "
            "sessions. The next sign-in sets up a new authenticator.",
            is_offered=second_factor.has_authenticator,
            icon="phonelink_erase",
            is_dangerous=True,
        ),
        Button(
            name="sign-out",
            title="Sign out everywhere",
            permission="auth.change_user",
            press=_sign_out,
            explanation="All sessions of this account end at once.",
            icon="logout",
        ),
    )

    @admin.display(description="second factor")
    def has_second_factor(self, row: User) -> str:
        """Show whether an authenticator app is set up."""
        return "set up" if second_factor.has_authenticator(row) else "not set up"

    @admin.display(description="sessions")
    def signed_in(self, row: User) -> str:
        """Link to the sessions of an account."""
        count = len(sessions.of_user(row))
        address = reverse("admin:staff_sessions", args=[row.pk])
        return format_html('<a class="staff-link" href="{}">{} open</a>', address, count)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        """Save an account, and end its sessions if it may not sign in any more."""
        super().save_model(request, obj, form, change)
        if change and not (obj.is_active and obj.is_staff):
            sessions.end_all(obj)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002
        """Set the password of an account, which ends its sessions."""
        response = super().user_change_password(request, id, form_url)
        if isinstance(response, HttpResponseRedirect) and (user := self.get_object(request, unquote(id))):
            kept = request.session.session_key if user.pk == request.user.pk else None
            sessions.end_all(user, except_key=kept)
        return response


class GroupAdmin(_ForSuperusers, DjangoGroupAdmin, ModelAdmin):
    """Groups."""


class LogAdmin(Page):
    """Who did what in the admin."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_select_related = ("user", "content_type")
    looked_up_by = ("object_id",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the member of staff is a superuser."""
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return whether the member of staff is a superuser."""
        return self.has_module_permission(request)


admin.site.unregister(User)
admin.site.unregister(Group)
# Their pages show secrets.
admin.site.unregister((TOTPDevice, StaticDevice))
admin.site.register(User, StaffAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(LogEntry, LogAdmin)
