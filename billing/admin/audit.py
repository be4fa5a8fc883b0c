"""The audit log, read-only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from billing.audit import Action
from billing.models import AuditEntry
from config.admin.pages import CreatedSince, Page


class _KindFilter(admin.SimpleListFilter):
    title = "object"
    parameter_name = "kind"

    def lookups(self, _request: HttpRequest, _page: Any) -> list[tuple[str, str]]:
        kinds = dict.fromkeys(action.object_kind for action in Action)
        return [(kind, kind.replace("_", " ")) for kind in kinds]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:
        return queryset.filter(object_kind=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryPage(Page):
    """Changes of the configuration, by key, staff member or command."""

    list_display = ("id", "created_at", "action", "object_id", "actor", "business", "change_list")
    list_filter = (CreatedSince, "actor_kind", _KindFilter)
    list_select_related = ("user",)
    looked_up_by = ("id", "object_id", "user_id", "actor_id", "correlation_id")
    search_help_text = "Id of an entry, an object, a business, an actor or a correlation id"

    @admin.display(description="actor")
    def actor(self, row: AuditEntry) -> str:
        """Return the kind, the identifier and the name of the actor."""
        named = f" ({row.actor_name})" if row.actor_name else ""
        return f"{row.actor_kind} {row.actor_id}{named}"

    @admin.display(description="changes")
    def change_list(self, row: AuditEntry) -> Any:
        """Return a line for each field that changed."""
        lines = format_html_join("", "<div>{}</div>", ((_line(*item),) for item in row.changes.items()))
        return format_html("{}", lines) if row.changes else "-"


def _line(name: str, values: Any) -> str:
    """Return a field with both values; only its name where they are not stored."""
    if not isinstance(values, dict) or not {"before", "after"} <= values.keys():
        return f"{name}: changed"
    return f"{name}: {values['before']} → {values['after']}"
