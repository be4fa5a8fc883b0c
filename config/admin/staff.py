"""Pages of those who sign in here, their groups, and the log of what they did; superusers only."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.admin.pages import Page


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


class StaffAdmin(_ForSuperusers, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not at run time
    """Staff: who they are and which groups they are in."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    readonly_fields = ("last_login", "date_joined")


class GroupAdmin(_ForSuperusers, DjangoGroupAdmin, ModelAdmin):
    """Groups."""


class LogAdmin(Page):
    """Who did what in the admin."""

    list_display = ("action_time", "user", "content_type", "object_repr", "change_message")
    list_select_related = ("user", "content_type")
    looked_up_by = ("object_id",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Say yes to superusers."""
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Say yes to superusers."""
        return self.has_module_permission(request)


admin.site.unregister(User)
admin.site.unregister(Group)
admin.site.register(User, StaffAdmin)
admin.site.register(Group, GroupAdmin)
admin.site.register(LogEntry, LogAdmin)
