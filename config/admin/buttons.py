"""
Buttons: what a hand may do in the admin. Nothing else there writes.

A button is a page with a form. It is shown to those who may press it, asks once more before anything happens,
calls the function the API calls as well, and leaves a line in the log of who did what.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from rest_framework.throttling import BaseThrottle
from unfold.enums import ActionVariant

from config.lib import actors
from config.lib.actors import Actor, ActorKind

if TYPE_CHECKING:
    from config.admin.pages import WithButtons


class ButtonForm(forms.Form):
    """What a button asks; `row` is what it is pressed on, None on a list."""

    def __init__(self, data: Mapping[str, Any] | None = None, *, row: Any = None, **options: Any) -> None:
        self.row = row
        super().__init__(data, label_suffix="", **options)

    def offer(self, name: str, choices: list[tuple[Any, str]]) -> None:
        """Return the choices of a field on this row."""
        field: Any = self.fields[name]
        field.choices = choices


@dataclass(frozen=True, slots=True)
class Press:
    """Who pressed a button on what, and what they filled in."""

    request: HttpRequest
    row: Any
    data: dict[str, Any]

    @property
    def actor(self) -> str:
        """Name who pressed it, as the ledger and the log of a conversation do."""
        return self.acting.label[:100]

    @property
    def acting(self) -> Actor:
        """Return the staff member as the actor of what the button does."""
        user: Any = self.request.user
        address = BaseThrottle().get_ident(self.request) or ""  # type: ignore[arg-type]  # reads META only
        return Actor(ActorKind.STAFF, user.get_username(), user.get_full_name(), address)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: a sentence, the row that was made, and a secret that is shown this once."""

    summary: str
    row: Model | None = None
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A button: `press` does it, `errors` say in words what it may be refused with ("" = the error's own)."""

    name: str
    title: str
    permission: str
    press: Callable[[Press], Done | str]
    explanation: str = ""
    form: type[ButtonForm] = ButtonForm
    errors: Mapping[type[Exception], str] = field(default_factory=dict)
    initial: Callable[[Any], dict[str, Any]] = lambda _row: {}
    is_offered: Callable[[Any], bool] = lambda _row: True
    # Where to go afterwards; the page it was pressed on unless told otherwise.
    back: Callable[[Any], str] | None = None
    icon: str = ""
    # Buttons of one group are shown behind one.
    group: str = ""
    is_dangerous: bool = False
    # Its form stands on the page itself.
    is_inline: bool = False

    def may(self, request: HttpRequest) -> bool:
        """Return whether the signed-in member of staff may press it."""
        return bool(request.user.has_perm(self.permission))

    def url_name(self, page: "WithButtons") -> str:
        """Name its address."""
        return f"{page.opts.app_label}_{page.opts.model_name}_{self.name}"

    def url(self, page: "WithButtons", row: Model | None = None) -> str:
        """Return its address, on a row or on a list."""
        return reverse(f"admin:{self.url_name(page)}", args=[quote(row.pk)] if row else [])

    def as_action(self, page: "WithButtons", row: Model | None = None) -> dict[str, Any]:
        """Return the action as unfold's templates draw it."""
        return {
            "title": self.title,
            "icon": self.icon,
            "variant": ActionVariant.DANGER if self.is_dangerous else ActionVariant.DEFAULT,
            "attrs": {},
            "dialog": None,
            "path": self.url(page, row),
        }

    def view(self, page: "WithButtons", request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Ask with a form, and do it when that comes back filled in."""
        if not (self.may(request) and page.has_view_permission(request)):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "POST"])
        row = self._row(page, request, object_id)
        form = self.form(
            request.POST if request.method == "POST" else None, row=row, initial=self.initial(row)
        )
        if request.method == "POST" and form.is_valid():
            done = self._press(Press(request, row, form.cleaned_data), form)
            if done is not None:
                self._log(page, request, done.row or row, done.summary)
                if done.secret:
                    return self._answer(page, request, row, {"done": done})
                messages.success(request, done.summary)
                return HttpResponseRedirect(self._back(page, row, done))
        return self._answer(page, request, row, {"form": form})

    def _row(self, page: "WithButtons", request: HttpRequest, object_id: str | None) -> Model | None:
        if object_id is None:
            return None
        row: Model | None = page.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    def _press(self, press: Press, form: ButtonForm) -> Done | None:
        """Do it; None if it was refused, which the form then says."""
        try:
            with actors.acting(press.acting):
                done = self.press(press)
        except tuple(self.errors) as error:
            message = next(text for kind, text in self.errors.items() if isinstance(error, kind))
            at = getattr(error, "field", None)
            form.add_error(at if at in form.fields else None, message or str(error))
            return None
        return Done(done) if isinstance(done, str) else done

    def _log(self, page: "WithButtons", request: HttpRequest, row: Model | None, summary: str) -> None:
        LogEntry.objects.create(
            user_id=request.user.pk or 0,
            content_type_id=get_content_type_for_model(row or page.model).pk,
            object_id=row.pk if row else None,
            object_repr=str(row or page.opts.verbose_name_plural)[:200],
            action_flag=CHANGE,
            change_message=f"{self.title}: {summary}",
        )

    def _back(self, page: "WithButtons", row: Model | None, done: Done) -> str:
        if self.back is not None:
            return self.back(row)
        if row is None and done.row is None:
            return reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
        return admin_url(row or done.row)

    def _answer(
        self, page: "WithButtons", request: HttpRequest, row: Model | None, more: dict[str, Any]
    ) -> TemplateResponse:
        listed = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
        context = page.admin_site.each_context(request) | {
            "title": f"{self.title}: {row}" if row else self.title,
            "button": self,
            "opts": page.opts,
            "row": row,
            "cancel": admin_url(row) if row else listed,
            "media": self.form().media if row is None else self.form(row=row).media,
            **more,
        }
        return TemplateResponse(request, "admin/button.html", context)


def admin_url(row: Any) -> str:
    """Return the admin URL of a row."""
    options = row._meta  # noqa: SLF001  (Django's public-in-practice API)
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[quote(row.pk)])
