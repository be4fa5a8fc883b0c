"""What a version of a prompt must be before it is kept, since afterwards nothing can be mended."""

import difflib
import re
from collections.abc import Callable, Mapping
from datetime import date
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents import prompt_variables
from agents.prompt_variables import BUILT_IN, LONGEST_FILLED, MARK
from config.lib.texts import storable

_MODEL = re.compile(r"[\w.:/-]{0,100}", re.ASCII)
_NO_NAME = (
    "A `{{` in the instructions is not followed by a name and `}}`. Write `\\{{` for the characters "
    "themselves."
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


class InvalidPromptError(ValueError):
    """A version cannot be made of this; `field` names what is wrong, such as `variables.opening.default`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class PromptTooLongError(InvalidPromptError):
    """With its variables filled in, a version may become longer than a request carries."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class _Reasoning(_Shape):
    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class _Text(_Shape):
    verbosity: Literal["low", "medium", "high"]


class Parameters(_Shape):
    """
    What a version may ask of `responses.create` beside model and instructions; the names are the SDK's.

    Not what the service decides itself, and neither tools (nobody would answer their calls) nor ids of things
    at OpenAI, where all businesses share one account.

    https://platform.openai.com/docs/api-reference/responses/create
    """

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=16, le=32_768)] | None = None
    reasoning: _Reasoning | None = None
    text: _Text | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    prompt_cache_key: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,64}$")] | None = None


def checked(
    *, instructions: str, model: str, parameters: Mapping[str, object], variables: Mapping[str, object]
) -> dict[str, Any]:
    """
    Return the columns of a version.

    :raises InvalidPromptError: naming the first field that is wrong
    """
    instructions = storable(instructions)
    if not instructions.strip():
        raise InvalidPromptError("instructions", "The instructions must not be empty.")
    if not _MODEL.fullmatch(model):
        raise InvalidPromptError("model", "A model's name can contain only letters, digits and `_.:/-`.")
    for name, declared in variables.items():
        _check_declaration(f"variables.{name}", name, declared)
    _check_names(instructions, variables)
    columns = {
        "instructions": instructions,
        "model": model,
        "parameters": _parameters(parameters),
        "variables": dict(variables),
    }
    _check_length(columns)
    return columns


def _check_length(columns: Mapping[str, Any]) -> None:
    pieces = prompt_variables.template(columns["instructions"])
    length = prompt_variables.longest(pieces, own=prompt_variables.texts(columns["variables"]))
    if length > LONGEST_FILLED:
        reason = (
            f"With the variables filled in, the instructions can have {length} characters; "
            f"at most {LONGEST_FILLED} are allowed."
        )
        raise PromptTooLongError("instructions", reason)


def _parameters(parameters: Mapping[str, object]) -> dict[str, Any]:
    try:
        return Parameters.model_validate(dict(parameters)).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("parameters", *(str(part) for part in first["loc"])))
        raise InvalidPromptError(where, _sentence(first["msg"])) from error


def _check_names(instructions: str, variables: Mapping[str, object]) -> None:
    for mark in MARK.finditer(instructions):
        if mark[0] == "{{":
            raise InvalidPromptError(
                "instructions",
                _NO_NAME,
            )
        if mark[1] and mark[1] not in BUILT_IN and mark[1] not in variables:
            raise InvalidPromptError("instructions", _unknown_variable(mark[1], variables))


def _unknown_variable(name: str, variables: Mapping[str, object]) -> str:
    known = sorted({*BUILT_IN, *variables})
    near = difflib.get_close_matches(name, known, n=1)
    proposal = (
        f"Did you mean `{near[0]}`?"
        if near
        else f"Known variables: {', '.join(f'`{one}`' for one in known)}."
    )
    return f"There is no variable `{name}`. {proposal}"


def _sentence(text: str) -> str:
    """Return a message of pydantic as a sentence."""
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _check_declaration(at: str, name: str, declared: object) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidPromptError(
            at,
            "A variable's name must begin with a lower-case letter and can have up to 50 lower-case "
            "letters, digits and `_`.",
        )
    if name in BUILT_IN:
        raise InvalidPromptError(at, f"The variable `{name}` is built in and cannot be declared.")
    if not isinstance(declared, Mapping) or not {"type", "default"} <= declared.keys():
        raise InvalidPromptError(at, "A variable needs a `type` and a `default`.")
    if unknown := declared.keys() - {"type", "default", "description"}:
        raise InvalidPromptError(f"{at}.{min(unknown)}", "A variable has no field with this name.")
    if not _is_text(declared.get("description", "")):
        raise InvalidPromptError(f"{at}.description", "The description must be text.")
    is_one = _TYPES.get(str(declared["type"]))
    if is_one is None:
        raise InvalidPromptError(
            f"{at}.type", f"The type must be one of {', '.join(f'`{kind}`' for kind in _TYPES)}."
        )
    if not is_one(declared["default"]):
        raise InvalidPromptError(f"{at}.default", f"The default must be a {declared['type']}.")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and storable(value) == value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _is_date(value: object) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_TYPES: dict[str, Callable[[object], bool]] = {
    "string": _is_text,
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
}
