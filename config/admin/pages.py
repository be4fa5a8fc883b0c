"""
Pages of tables: read-only lists that stay quick with millions of rows, and read-only rows with buttons.

No list counts its rows. A table that grows without end is searched by exact keys only, ordered by its key,
and narrowed by time through the key, since ids follow the clock.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial, update_wrapper
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.db import OperationalError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from psycopg.errors import QueryCanceled
from unfold.admin import ModelAdmin
from unfold.enums import ActionVariant
from unfold.paginator import InfinitePaginator

from config.admin.buttons import Button, admin_url
from config.lib import ids


class WithButtons(ModelAdmin):
    """Adds buttons to a page: their addresses, and links to those that may be pressed."""

    buttons: Sequence[Button] = ()
    list_buttons: Sequence[Button] = ()

    def get_urls(self) -> list[URLPattern]:
        """Add the buttons' addresses."""
        mine = [
            path(f"<path:object_id>/{button.name}/", self._wrapped(button), name=button.url_name(self))
            for button in self.buttons
        ]
        mine += [
            path(f"{button.name}/", self._wrapped(button), name=button.url_name(self))
            for button in self.list_buttons
        ]
        return [*mine, *super().get_urls()]

    def _wrapped(self, button: Button) -> Callable[..., HttpResponse]:
        view = partial(button.view, self)
        update_wrapper(view, button.view)
        return self.admin_site.admin_view(view)  # type: ignore[no-any-return]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Show the buttons that may be pressed on this row."""
        row = context.get("original")
        context["actions_detail"] = self._actions(request, row)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    def _actions(self, request: HttpRequest, row: Model | None) -> list[dict[str, Any]]:
        single: list[dict[str, Any]] = []
        grouped: dict[str, list[dict[str, Any]]] = {}
        for button in self.offered(request, row):
            if not button.is_inline:
                (grouped.setdefault(button.group, []) if button.group else single).append(
                    button.as_action(self, row)
                )
        drawn = {"icon": "add", "variant": ActionVariant.DEFAULT}
        return single + [drawn | {"title": title, "items": items} for title, items in grouped.items()]

    def offered(self, request: HttpRequest, row: Model | None) -> list[Button]:
        """List the buttons that may be pressed on a row by who is signed in."""
        return [button for button in self.buttons if row and button.may(request) and button.is_offered(row)]


class Page(WithButtons):
    """A table that hands read; what they may do to it are its buttons."""

    list_per_page = 50
    show_full_result_count = False
    paginator = InfinitePaginator
    list_disable_select_all = True
    list_filter_sheet = False
    ordering = ("-pk",)
    actions = None
    # Exact keys that a search is compared with; empty = unfold's search, for small tables.
    looked_up_by: Sequence[str] = ()
    # Shown on no page and searched by nobody.
    secret: Sequence[str] = ()
    # Changes of its rows are in the audit log, to which a row's page links.
    is_audited = False

    @admin.display(description="business")
    def business(self, row: Any) -> Any:
        """Link to whose a row is, where it has a `user`."""
        return link(row.user)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return False: rows are created by buttons."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return False: rows are changed by buttons."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Return False: messages and payments are kept."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Ask for `view` by name: being allowed to change by a button shows no page."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}"))

    def get_exclude(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Leave the secrets out."""
        return [*(super().get_exclude(request, obj) or ()), *self.secret]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Show every column, also those Django fills in itself."""
        hidden = self.get_exclude(request, obj)
        columns = [column.name for column in self.opts.concrete_fields if column.name not in hidden]
        return [*columns, *self.readonly_fields]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        """Show what may be read."""
        return self.get_readonly_fields(request, obj)

    def get_search_fields(self, request: HttpRequest) -> Sequence[str]:
        """Show the search box where there are exact keys, too."""
        return super().get_search_fields(request) or self.looked_up_by

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look for exact keys where the table is large."""
        if not self.looked_up_by:
            results: tuple[QuerySet[Any], bool] = super().get_search_results(request, queryset, search_term)
            return results
        term = search_term.strip()
        return (queryset.filter(self.matches(term)) if term else queryset), False

    def matches(self, term: str) -> Q:
        """Return the rows that an exact term matches."""
        condition = Q(pk__in=[])
        for name in self.looked_up_by:
            is_number = self.opts.get_field(name).get_internal_type() in {"BigAutoField", "IntegerField"}
            if not is_number or (term.isascii() and term.isdigit() and len(term) < 19):
                condition |= Q(**{name: term})
        return condition

    def _actions(self, request: HttpRequest, row: Model | None) -> list[dict[str, Any]]:
        actions = super()._actions(request, row)
        if row and self.is_audited and request.user.has_perm("billing.view_auditentry"):
            actions.append(_audit_link(row))
        return actions

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the list and its buttons; where reading it takes too long, say so instead of failing."""
        try:
            response: Any = super().changelist_view(request, extra_context)
            if hasattr(response, "context_data"):
                if response.context_data is not None:
                    response.context_data["actions_list"] = [
                        button.as_action(self) for button in self.list_buttons if button.may(request)
                    ]
                response.render()
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            messages.error(request, "This search takes too long. Search for an exact id instead.")
            return HttpResponseRedirect(request.path)
        return response  # type: ignore[no-any-return]


class Since(SimpleListFilter):
    """Narrows a list to the newest rows by their key, which follows the clock and is indexed."""

    title = "time"
    parameter_name = "since"
    prefix = ""
    _SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}

    def lookups(self, _request: HttpRequest, _page: Any) -> list[tuple[str, str]]:
        """List the spans."""
        return [("hour", "last hour"), ("day", "last 24 hours"), ("week", "last 7 days")]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Take what is young enough."""
        span = self._SPANS.get(str(self.value()))
        return queryset if span is None else self.narrowed(queryset, timezone.now() - span)

    def narrowed(self, queryset: QuerySet[Any], since: datetime) -> QuerySet[Any]:
        """Take what was made since then."""
        return queryset.filter(pk__gte=ids.first(self.prefix, since))


def since(prefix: str) -> type[Since]:
    """Make the filter for a table whose ids begin so."""
    return type("Since", (Since,), {"prefix": prefix})


class CreatedSince(Since):
    """The same for tables whose keys are plain numbers, by when a row was created."""

    def narrowed(self, queryset: QuerySet[Any], since: datetime) -> QuerySet[Any]:
        """Keep the rows that were created since then."""
        return queryset.filter(created_at__gte=since)


class ReceivedSince(Since):
    """The same for tables whose keys are plain numbers: newest first, so reading ends soon."""

    def narrowed(self, queryset: QuerySet[Any], since: datetime) -> QuerySet[Any]:
        """Take what was received since then."""
        return queryset.filter(received_at__gte=since)


def link(row: Any, text: str = "") -> SafeString | str:
    """Link to a row's page; its text is escaped."""
    if row is None:
        return "-"
    return format_html('<a class="staff-link" href="{}">{}</a>', admin_url(row), text or str(row))


def _audit_link(row: Model) -> dict[str, Any]:
    """Return what unfold's templates draw the link to a row's entries in the audit log from."""
    listed = reverse("admin:billing_auditentry_changelist")
    return {
        "title": "Audit log",
        "icon": "history",
        "variant": ActionVariant.DEFAULT,
        "attrs": {},
        "dialog": None,
        "path": f"{listed}?{urlencode({'q': row.pk})}",
    }


def extend(
    model: type[Model],
    *,
    buttons: Sequence[Button] = (),
    list_buttons: Sequence[Button] = (),
    fields: Sequence[Callable[[Any], Any]] = (),
) -> None:
    """Add a room's buttons, and fields that it computes, to a page of a room below it."""
    page: Any = admin.site.get_model_admin(model)
    page.readonly_fields = (*page.readonly_fields, *fields)
    page.buttons = (*page.buttons, *buttons)
    page.list_buttons = (*page.list_buttons, *list_buttons)
