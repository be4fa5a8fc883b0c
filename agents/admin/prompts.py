"""Prompts: versions are published and gone back to, and never changed."""

from typing import Any

from django.contrib import admin

from agents import prompt_versions
from agents.models import Prompt, PromptVersion
from agents.prompt_checks import InvalidPromptError
from agents.prompt_versions import ExtractionPromptExistsError, PromptNotFoundError
from billing.models import User
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Done, Press
from config.admin.pages import Page, extend

_ERRORS: dict[type[Exception], str] = {
    ExtractionPromptExistsError: "The business already has a prompt for reading leads. Publish a new "
    "version of that one.",
    InvalidPromptError: "",
    PromptNotFoundError: "This prompt or version no longer exists.",
}


class VersionForm(ButtonForm):
    """What a version says."""

    instructions = widgets.long_text("Instructions", most=200_000)
    model = widgets.text(
        "Model", required=False, most=100, help_text="Leave empty for the service's default."
    )
    parameters = widgets.document(
        "Parameters", help_text='Further OpenAI parameters, as JSON: {"temperature": 0.3}'
    )
    variables = widgets.document(
        "Variables", help_text='As JSON: {"opening": {"type": "string", "default": "7 to 18"}}'
    )

    def clean_parameters(self) -> dict[str, Any]:
        """Take nothing as none."""
        return self._object("parameters")

    def clean_variables(self) -> dict[str, Any]:
        """Take nothing as none."""
        return self._object("variables")

    def _object(self, name: str) -> dict[str, Any]:
        value = self.cleaned_data[name]
        if value is not None and not isinstance(value, dict):
            self.add_error(name, "This must be a JSON object: {…}")
        return value if isinstance(value, dict) else {}


class PromptForm(VersionForm):
    """The same, and a name."""

    name = widgets.text("Name")
    purpose = widgets.choice(
        "For",
        choices=(("reply", "replies"), ("extraction", "reading leads")),
        required=False,
        help_text="A business can have one prompt for reading leads. Without one, the built-in prompt is "
        "used.",
    )
    field_order = ("name", "purpose")

    def clean_purpose(self) -> str:
        """Take none as for replies."""
        return self.cleaned_data["purpose"] or Prompt.Purpose.REPLY


class RollbackForm(ButtonForm):
    """Which version to go back to."""

    to = widgets.choice("Version")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        versions = self.row.versions.exclude(number=self.row.current_version).order_by("-number")[:200]
        self.offer(
            "to",
            [
                (version.number, f"{version.number} ({version.created_at:%Y-%m-%d %H:%M})")
                for version in versions.only("number", "created_at")
            ],
        )


def _create(press: Press) -> Done:
    prompt = prompt_versions.create(user_id=press.row.pk, **press.data)
    return Done(f"prompt {prompt.name} was made", row=prompt)


def _publish(press: Press) -> str:
    version = prompt_versions.publish(prompt_id=press.row.pk, **press.data)
    return f"version {version.number} is current"


def _rollback(press: Press) -> str:
    version = prompt_versions.rollback(prompt_id=press.row.pk, to=int(press.data["to"]))
    return f"version {version.number} is current again"


def _current(prompt: Prompt) -> dict[str, Any]:
    version = prompt.versions.filter(number=prompt.current_version).first()
    names = ("instructions", "model", "parameters", "variables")
    return {name: getattr(version, name) for name in names} if version else {}


@admin.register(Prompt)
class PromptPage(Page):
    """Prompts."""

    is_audited = True
    list_display = ("prompt_id", "name", "purpose", "business", "current_version", "created_at")
    search_fields = ("prompt_id", "name", "user__company_name")
    list_select_related = ("user",)
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    readonly_fields = ("says",)
    buttons = (
        Button(
            name="publish",
            title="Publish a version",
            permission="agents.publish_prompt",
            press=_publish,
            form=VersionForm,
            errors=_ERRORS,
            initial=_current,
            icon="publish",
            explanation="Takes effect with the next message. Replies in progress keep the version they "
            "began with.",
        ),
        Button(
            name="rollback",
            title="Go back to a version",
            permission="agents.rollback_prompt",
            press=_rollback,
            form=RollbackForm,
            errors=_ERRORS,
            icon="undo",
        ),
    )

    @admin.display(description="says")
    def says(self, row: Prompt) -> str:
        """Show the current version's instructions."""
        return str(_current(row).get("instructions", "-"))


@admin.register(PromptVersion)
class PromptVersionPage(Page):
    """Everything prompts ever said."""

    list_display = ("id", "prompt", "number", "model", "created_at")
    list_select_related = ("prompt",)
    looked_up_by = ("id", "prompt_id")
    search_help_text = "Id of a version or of a prompt"


extend(
    User,
    buttons=[
        Button(
            name="create-prompt",
            group="New",
            title="New prompt",
            permission="agents.add_prompt",
            press=_create,
            form=PromptForm,
            errors=_ERRORS,
            icon="edit_note",
        )
    ],
)
