"""The page that says why a number went quiet, with the button that helps for each cause."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse

from channels_app import number_checks
from channels_app.models import PhoneNumber
from config.admin.buttons import Button, Press
from config.admin.pages import WithButtons, extend
from conversations.diagnosis import diagnosing
from conversations.diagnosis.findings import Finding, Remedy

# The address and the title of each remedy; a finding's `row` is the row it is pressed on.
_BUTTONS = {
    Remedy.REGISTER: ("billing_user_register-number", "Register it again"),
    Remedy.EDIT_NUMBER: ("channels_app_phonenumber_change-number", "Edit the number"),
    Remedy.CREATE_AGENT: ("billing_user_create-agent", "New agent"),
    Remedy.EDIT_AGENT: ("agents_agent_change-agent", "Edit the agent"),
    Remedy.IMPORT_PROMPT: ("agents_agent_import-prompt", "Import its prompt"),
    Remedy.GRANT: ("billing_user_grant", "Grant credits"),
    Remedy.CREATE_KEY: ("billing_user_create-key", "New API key"),
    Remedy.RESUME: ("conversations_conversation_resume", "Resume"),
}


@dataclass(frozen=True, slots=True)
class Diagnose(Button):
    """Shows the findings; pressed, it asks Graph anew."""

    def _answer(
        self, page: WithButtons, request: HttpRequest, row: Any, more: dict[str, Any]
    ) -> TemplateResponse:
        response = Button._answer(self, page, request, row, more)  # noqa: SLF001  (slots: no bare super)
        diagnosis = diagnosing.diagnose(row.pk, asks_graph=False)
        last = number_checks.last(row.pk)
        response.template_name = "admin/diagnosis.html"
        response.context_data = {
            **(response.context_data or {}),
            "findings": [(finding, _link(finding, row)) for finding in diagnosis.findings],
            "checked_at": last[1].checked_at if last else None,
            "asks_graph": row.type != PhoneNumber.Type.WEBCHAT and row.deleted_at is None,
        }
        return response


def _link(finding: Finding, number: PhoneNumber) -> dict[str, str] | None:
    """Return the address and the title of what helps."""
    if finding.remedy is None:
        return None
    if finding.remedy in _BUTTONS:
        name, title = _BUTTONS[finding.remedy]
        return {"url": reverse(f"admin:{name}", args=[quote(finding.row or number.pk)]), "title": title}
    if finding.remedy is Remedy.SEE_WAITING:
        query = urlencode({"phone_number_id__exact": number.pk, "status__exact": "pending"})
        return {
            "url": f"{reverse('admin:channels_app_inboundmessage_changelist')}?{query}",
            "title": "Waiting messages",
        }
    query = urlencode({"status__exact": "failed"})
    return {"url": f"{reverse('admin:conversations_message_changelist')}?{query}", "title": "Failed messages"}


def _check(press: Press) -> str:
    if press.row.type == PhoneNumber.Type.WEBCHAT:
        return "looked at again"
    number_checks.check(press.row)
    return "Meta was asked"


def _own_page(number: PhoneNumber) -> str:
    return reverse("admin:channels_app_phonenumber_diagnose", args=[quote(number.pk)])


extend(
    PhoneNumber,
    buttons=[
        Diagnose(
            name="diagnose",
            title="Why is it quiet?",
            permission="channels_app.view_phonenumber",
            press=_check,
            back=_own_page,
            icon="troubleshoot",
        )
    ],
)
