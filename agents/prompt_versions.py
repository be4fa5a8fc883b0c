"""Versions of a prompt: never changed, only added; the prompt points at the current one."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from agents import prompt_variables
from agents.models import Prompt, PromptVersion
from agents.prompt_checks import InvalidPromptError, checked
from agents.prompt_variables import Context
from billing import audit
from billing.audit import Action


class ExtractionPromptExistsError(Exception):
    """The user has a prompt for extraction, and there can be one."""


class PromptNotFoundError(Exception):
    """There is no such prompt, or it has no such version."""


@transaction.atomic
def create(
    *,
    user_id: str,
    name: str,
    instructions: str,
    model: str = "",
    parameters: Mapping[str, object] | None = None,
    variables: Mapping[str, object] | None = None,
    purpose: str = Prompt.Purpose.REPLY,
) -> Prompt:
    """
    Make a prompt with its first version: for replies, or the user's one for `extraction`.

    :raises InvalidPromptError: if a version cannot be made of this
    :raises ExtractionPromptExistsError: if it is the second one for extraction
    """
    columns = checked(
        instructions=instructions, model=model, parameters=parameters or {}, variables=variables or {}
    )
    try:
        with transaction.atomic():
            prompt = Prompt.objects.create(user_id=user_id, name=name, purpose=purpose)
    except IntegrityError as error:
        if "prompts_one_for_extraction" in str(error):
            raise ExtractionPromptExistsError from error
        raise
    PromptVersion.objects.create(prompt=prompt, number=1, **columns)
    changes = audit.difference({}, audit.snapshot(prompt, ("name", "purpose")))
    audit.record(Action.PROMPT_CREATED, prompt.pk, user_id=user_id, changes=changes)
    return prompt


@transaction.atomic
def publish(
    *,
    prompt_id: str,
    instructions: str,
    model: str = "",
    parameters: Mapping[str, object] | None = None,
    variables: Mapping[str, object] | None = None,
) -> PromptVersion:
    """
    Add a version, which becomes the current one.

    :raises PromptNotFoundError: if there is no such prompt
    :raises InvalidPromptError: if a version cannot be made of this
    """
    columns = checked(
        instructions=instructions, model=model, parameters=parameters or {}, variables=variables or {}
    )
    prompt = _locked(prompt_id)
    latest = prompt.versions.aggregate(latest=Max("number"))["latest"] or 0
    version = PromptVersion.objects.create(prompt=prompt, number=latest + 1, **columns)
    return _point(prompt, version, Action.PROMPT_VERSION_PUBLISHED)


@transaction.atomic
def rollback(*, prompt_id: str, to: int) -> PromptVersion:
    """
    Make an older version the current one again; turns that are under way keep theirs.

    :raises PromptNotFoundError: if there is no such prompt or version
    """
    prompt = _locked(prompt_id)
    return _point(prompt, _version(prompt_id, to), Action.PROMPT_ROLLED_BACK)


@transaction.atomic
def rename(*, prompt_id: str, name: str) -> Prompt:
    """
    Rename a prompt.

    :raises PromptNotFoundError: if there is no such prompt
    """
    prompt = _locked(prompt_id)
    before = {"name": prompt.name}
    prompt.name = name
    prompt.save(update_fields=["name"])
    audit.record_update(
        Action.PROMPT_UPDATED, prompt.pk, user_id=prompt.user_id, before=before, after={"name": name}
    )
    return prompt


def preview(*, prompt_id: str, context: Context, version: int | None = None) -> str:
    """
    Return the instructions of a version, by default the current one, as the model would receive them.

    :raises PromptNotFoundError: if there is no such prompt or version
    :raises InvalidPromptError: if the version is from before the limit of length, and beyond it
    """
    if version is None:
        version = Prompt.objects.values_list("current_version", flat=True).filter(pk=prompt_id).first() or 0
    prompt_version = _version(prompt_id, version)
    try:
        return _filled(prompt_version.instructions, prompt_version.variables, context)
    except prompt_variables.FilledTooLongError as error:
        raise InvalidPromptError("version", str(error)) from error


def preview_draft(
    *, instructions: str, context: Context, variables: Mapping[str, object] | None = None
) -> str:
    """
    Return unpublished instructions as the model would get them.

    :raises InvalidPromptError: if a version could not be made of this
    """
    columns = checked(instructions=instructions, model="", parameters={}, variables=variables or {})
    return _filled(columns["instructions"], columns["variables"], context)


def _filled(instructions: str, variables: Mapping[str, Any], context: Context) -> str:
    pieces = prompt_variables.template(instructions)
    return prompt_variables.fill(pieces, own=prompt_variables.texts(variables), context=context)


def _locked(prompt_id: str) -> Prompt:
    prompt = Prompt.objects.select_for_update(no_key=True).filter(pk=prompt_id).first()
    if prompt is None:
        raise PromptNotFoundError(f"there is no prompt {prompt_id}")
    return prompt


def _version(prompt_id: str, number: int) -> PromptVersion:
    version = PromptVersion.objects.filter(prompt_id=prompt_id, number=number).first()
    if version is None:
        raise PromptNotFoundError(f"prompt {prompt_id} has no version {number}")
    return version


def _point(prompt: Prompt, version: PromptVersion, action: Action) -> PromptVersion:
    """Make a version the current one; what it says stays readable in the version itself."""
    before = {"current_version": prompt.current_version}
    prompt.current_version = version.number
    prompt.save(update_fields=["current_version"])
    after = {"current_version": version.number}
    audit.record_update(action, prompt.pk, user_id=prompt.user_id, before=before, after=after)
    return version
