"""Erasures and exports by hand."""

import tempfile
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import FileResponse, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from unfold.decorators import display

from channels_app.models import Customer
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, WithButtons, extend, since
from privacy import erasure, export
from privacy.models import Erasure

_WORD = "erase"


class EraseForm(ButtonForm):
    """Asks for a word, so that nobody erases a customer by one wrong click."""

    confirmation = forms.CharField(label=f"Type “{_WORD}” to confirm", max_length=20)

    def clean_confirmation(self) -> str:
        """Check the word."""
        typed = str(self.cleaned_data["confirmation"]).strip().lower()
        if typed != _WORD:
            raise forms.ValidationError(f"Type the word {_WORD}.")
        return typed


def _erase(press: Press) -> Done:
    row = erasure.begin(customer_id=press.row.pk, source=Erasure.Source.ADMIN)
    return Done(f"is being erased; the receipt is {row.pk}", row=row)


def _export(press: Press) -> str:
    export.record(press.row)
    return "exported"


def _receipts(_row: Any) -> str:
    return reverse("admin:privacy_erasure_changelist")


@dataclass(frozen=True, slots=True)
class ExportButton(Button):
    """A button that is answered with a file."""

    def view(self, page: WithButtons, request: HttpRequest, object_id: str | None = None) -> HttpResponse:
        """Ask, and send the file when that is confirmed."""
        response = Button.view(self, page, request, object_id)
        if request.method != "POST" or response.status_code != 302 or object_id is None:
            return response
        file = tempfile.TemporaryFile()  # noqa: SIM115  (the response closes it)
        customer_id = unquote(object_id)
        export.write_zip(customer_id, file)
        file.seek(0)
        name = f"{customer_id}-{timezone.now():%Y%m%d}.zip"
        return FileResponse(file, as_attachment=True, filename=name)  # type: ignore[return-value]


@admin.register(Erasure)
class ErasurePage(Page):
    """Receipts of erasures; none of them says who the customer was."""

    list_display = (
        *("erasure_id", "business", "shown_state", "source", "actor", "requested_at", "finished_at"),
        "error",
    )
    list_filter = (since("era"), "state")
    looked_up_by = ("erasure_id", "customer_id", "user_id")
    search_help_text = "Id of an erasure, a customer or a business"
    list_select_related = ("user",)
    secret = ("subject",)

    @display(description="state", label={"running": "warning", "done": "success"})
    def shown_state(self, row: Erasure) -> str:
        """Show the state."""
        return row.state


extend(
    Customer,
    buttons=[
        ExportButton(
            name="export-customer",
            title="Export",
            permission="channels_app.export_customer",
            press=_export,
            icon="download",
            explanation="A ZIP file with everything that is stored of this customer: data.json, a transcript "
            "to read, and the files. It is recorded in the audit log.",
        ),
        Button(
            name="erase-customer",
            title="Erase",
            permission="channels_app.erase_customer",
            press=_erase,
            form=EraseForm,
            back=_receipts,
            icon="person_remove",
            is_dangerous=True,
            explanation="Everything that is stored of this customer is deleted here, at OpenAI and in the "
            "storage. It cannot be undone. The ledger keeps the money.",
        ),
    ],
)
