"""Agents: made, changed, moved and deleted; and numbers, whose removal takes the agent off them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from agents import dashboard_prompts, lifecycle, relinking, removal
from agents.admin.prompts import VersionForm
from agents.dashboard_prompts import NoAgentsError
from agents.lifecycle import IntervalOutOfRangeError
from agents.models import DEFAULT_DISCLOSURE, LONGEST_DISCLOSURE, Agent, ConversationArchive, Prompt
from agents.prompt_checks import InvalidPromptError
from agents.prompt_versions import PromptNotFoundError
from agents.relinking import AlreadyThereError, NotFoundError, NumberTakenError
from billing.models import User
from channels_app.models import PhoneNumber
from channels_app.numbers import NumberNotFoundError
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, extend, link

_MOST_CHOICES = 500
_ERRORS: dict[type[Exception], str] = {
    AlreadyThereError: "The agent already answers on this number.",
    NotFoundError: "This agent or number no longer exists.",
    NumberTakenError: "Another agent answers on this number.",
    PromptNotFoundError: "The business has no prompt for replies with this id or version.",
    IntervalOutOfRangeError: "",
}


def _prompts(user_id: str, *, present: str = "") -> list[tuple[str, str]]:
    """List a business's prompts, and the present one even if it is one of OpenAI's dashboard."""
    choices = {
        prompt.pk: f"{prompt.name} ({prompt.pk})"
        for prompt in Prompt.objects.of(user_id).filter(purpose="reply").order_by("name")[:_MOST_CHOICES]
    }
    if present:
        choices.setdefault(present, present)
    return list(choices.items())


def _numbers(user_id: str) -> list[tuple[str, str]]:
    numbers = PhoneNumber.objects.of(user_id).live().order_by("display_name")[:_MOST_CHOICES]
    return [(number.pk, f"{number} ({number.pk})") for number in numbers]


class AgentForm(ButtonForm):
    """What an agent is."""

    name = widgets.text("Name")
    prompt_id = widgets.choice("Prompt")
    prompt_version = forms.IntegerField(
        label="Version",
        required=False,
        min_value=1,
        help_text="Leave empty to follow the current version.",
        widget=widgets.number("").widget,
    )
    fallback_message = widgets.long_text("Fallback message", required=False)
    unavailable_message = widgets.long_text(
        "Message without credits", required=False, help_text="Empty: nothing is sent."
    )
    handover_enabled = widgets.switch("The AI may hand over to a person")
    handover_message = widgets.long_text(
        "Handover message", required=False, help_text="Empty: a general text."
    )
    disclosure = widgets.text(
        "AI disclosure",
        required=False,
        most=LONGEST_DISCLOSURE,
        help_text="Tells the customer that they are chatting with an AI, as EU law requires. Leave empty "
        "to send nothing.",
    )
    extraction_interval = forms.IntegerField(
        label="Quiet time before the lead is read, in milliseconds",
        required=False,
        help_text="300000 to 900000. Empty: the service's own.",
        widget=widgets.number("").widget,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        is_agent = isinstance(self.row, Agent)
        user_id = self.row.user_id
        self.offer("prompt_id", _prompts(user_id, present=self.row.prompt_id if is_agent else ""))


class NewAgentForm(AgentForm):
    """The same, and where it answers."""

    phone_number_id = widgets.choice("Number", required=False)
    field_order = ("name", "phone_number_id")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["disclosure"].initial = DEFAULT_DISCLOSURE
        self.offer("phone_number_id", [("", "None yet"), *_numbers(self.row.pk)])

    def clean_phone_number_id(self) -> str | None:
        """Take none as None."""
        return self.cleaned_data["phone_number_id"] or None


class RelinkForm(ButtonForm):
    """Where an agent should answer."""

    phone_number_id = widgets.choice("Number")
    replace = widgets.switch("Replace the agent that answers there")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.offer("phone_number_id", _numbers(self.row.user_id))


def _create(press: Press) -> Done:
    agent = lifecycle.create(user_id=press.row.pk, **press.data)
    return Done(f"agent {agent.name} was made", row=agent)


def _change(press: Press) -> str:
    lifecycle.change(agent_id=press.row.pk, **press.data)
    return "saved"


def _relink(press: Press) -> str:
    relinking.relink(agent_id=press.row.pk, **press.data)
    return f"answers on {press.data['phone_number_id']} from the next turn on"


def _delete(press: Press) -> str:
    lifecycle.delete(agent_id=press.row.pk)
    return "deleted; its messages are kept"


def _remove_number(press: Press) -> str:
    removal.remove(phone_number_id=press.row.pk)
    return "deleted; its token is erased once no reply needs it"


class ImportPromptForm(VersionForm):
    """The text of the dashboard prompt, and what else a version has."""

    name = widgets.text(
        "Name of the new prompt", required=False, help_text="Leave empty to use the prompt's id."
    )
    field_order = ("name",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        del self.fields["parameters"]


def _import_prompt(press: Press) -> Done:
    fields = {name: press.data[name] for name in ("name", "instructions", "model", "variables")}
    prompt, agent_ids = dashboard_prompts.replace(
        user_id=press.row.user_id, prompt_id=press.row.prompt_id, **fields
    )
    return Done(f"prompt {prompt.name} was created for {len(agent_ids)} agents")


class DashboardPromptFilter(admin.SimpleListFilter):
    """Narrows the list to agents by whose prompt they name."""

    title = "prompt"
    parameter_name = "prompt"

    def lookups(self, _request: HttpRequest, _page: Any) -> list[tuple[str, str]]:
        """Return the one choice."""
        return [("dashboard", "of OpenAI's dashboard (ended)")]

    def queryset(self, _request: HttpRequest, queryset: Any) -> Any:
        """Keep the live agents that name a prompt of OpenAI's dashboard."""
        if self.value() != "dashboard":
            return queryset
        return queryset.filter(pk__in=dashboard_prompts.agents().values("pk"))


@admin.register(Agent)
class AgentPage(Page):
    """Agents."""

    is_audited = True
    list_display = ("agent_id", "name", "business", "number", "prompt_id", "created_at", "deleted_at")
    list_filter = (
        ("deleted_at", admin.EmptyFieldListFilter),
        "handover_enabled",
        DashboardPromptFilter,
    )
    search_fields = ("agent_id", "name", "phone_number__phone_number_id", "user__company_name")
    list_select_related = ("user", "phone_number")
    date_hierarchy = "created_at"
    buttons = (
        Button(
            name="change-agent",
            title="Edit",
            permission="agents.change_agent",
            press=_change,
            form=AgentForm,
            errors=_ERRORS,
            initial=lambda agent: {name: getattr(agent, name) for name in AgentForm.base_fields},
            is_offered=lambda agent: agent.deleted_at is None,
            icon="edit",
            explanation="Takes effect with the next message.",
        ),
        Button(
            name="import-prompt",
            title="Import its dashboard prompt",
            permission="agents.add_prompt",
            press=_import_prompt,
            form=ImportPromptForm,
            errors={
                **_ERRORS,
                InvalidPromptError: "",
                NoAgentsError: "No agent of the business uses this prompt any more.",
            },
            initial=lambda _agent: {"variables": {}},
            is_offered=dashboard_prompts.is_named_by,
            icon="download",
            explanation="OpenAI no longer runs prompts from its dashboard. Paste the text of this one to "
            "make it a prompt here. All agents of the business that use it will switch to the "
            "new one.",
        ),
        Button(
            name="relink",
            title="Move to a number",
            permission="agents.relink_agent",
            press=_relink,
            form=RelinkForm,
            errors=_ERRORS,
            is_offered=lambda agent: agent.deleted_at is None,
            icon="move_down",
            explanation="Open conversations on the old number are closed. A reply in progress is still sent.",
        ),
        Button(
            name="delete-agent",
            title="Delete",
            permission="agents.delete_agent",
            press=_delete,
            errors=_ERRORS,
            is_offered=lambda agent: agent.deleted_at is None,
            icon="delete",
            is_dangerous=True,
            explanation="Its number no longer gets AI replies, and its conversations are closed. Messages "
            "are kept.",
        ),
    )

    @admin.display(description="number")
    def number(self, row: Agent) -> Any:
        """Link to where it answers."""
        return link(row.phone_number)


@admin.register(ConversationArchive)
class ArchivePage(Page):
    """Who answered where, and until when."""

    list_display = ("archive_id", "phone_number", "old_agent", "new_agent", "archived_at", "closed_at")
    list_select_related = ("phone_number", "old_agent", "new_agent")
    looked_up_by = ("archive_id", "phone_number_id")
    search_help_text = "Id of a move or of a number"


extend(
    User,
    buttons=[
        Button(
            name="create-agent",
            group="New",
            title="New agent",
            permission="agents.add_agent",
            press=_create,
            form=NewAgentForm,
            errors=_ERRORS,
            icon="smart_toy",
        )
    ],
)
extend(
    PhoneNumber,
    buttons=[
        Button(
            name="delete-number",
            title="Delete",
            permission="channels_app.delete_phonenumber",
            press=_remove_number,
            errors={NumberNotFoundError: "This number no longer exists."},
            is_offered=lambda number: number.deleted_at is None,
            icon="delete",
            is_dangerous=True,
            explanation="Customers get no more replies here, its agent is left without a number, and its "
            "access token is erased.",
        )
    ],
)
