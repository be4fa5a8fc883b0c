"""What a version of a prompt must be before it is kept, since afterwards nothing can be mended."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.prompt_variables import BUILT_IN, MARK
from config.lib.texts import storable

_MODEL = re.compile(r"[\w.:/-]{0,100}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")


class InvalidPromptError(ValueError):
    """A version cannot be made of this; `field` names what is wrong, such as `variables.opening.default`."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


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
    Give the columns of a version.

    :raises InvalidPromptError: naming the first field that is wrong
    """
    instructions = storable(instructions)
    if not instructions.strip():
        raise InvalidPromptError("instructions", "must say something")
    if not _MODEL.fullmatch(model):
        raise InvalidPromptError("model", "is no name of a model")
    for name, declared in variables.items():
        _check_declaration(f"variables.{name}", name, declared)
    _check_names(instructions, variables)
    return {
        "instructions": instructions,
        "model": model,
        "parameters": _parameters(parameters),
        "variables": dict(variables),
    }


def _parameters(parameters: Mapping[str, object]) -> dict[str, Any]:
    try:
        return Parameters.model_validate(dict(parameters)).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("parameters", *(str(part) for part in first["loc"])))
        raise InvalidPromptError(where, first["msg"]) from error


def _check_names(instructions: str, variables: Mapping[str, object]) -> None:
    for mark in MARK.finditer(instructions):
        if mark[0] == "{{":
            raise InvalidPromptError("instructions", r"`{{` without a name and `}}`; `\{{` is the plain text")
        if mark[1] and mark[1] not in BUILT_IN and mark[1] not in variables:
            raise InvalidPromptError("instructions", f"there is no variable `{mark[1]}`")


def _check_declaration(at: str, name: str, declared: object) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidPromptError(at, "a name is small letters, digits and _, and at most 50 of them")
    if name in BUILT_IN:
        raise InvalidPromptError(at, "this one is built in")
    if not isinstance(declared, Mapping) or not {"type", "default"} <= declared.keys():
        raise InvalidPromptError(at, "needs a `type` and a `default`")
    if unknown := declared.keys() - {"type", "default", "description"}:
        raise InvalidPromptError(f"{at}.{min(unknown)}", "is not known here")
    if not _is_text(declared.get("description", "")):
        raise InvalidPromptError(f"{at}.description", "is no text")
    is_one = _TYPES.get(str(declared["type"]))
    if is_one is None:
        raise InvalidPromptError(f"{at}.type", f"must be one of {', '.join(_TYPES)}")
    if not is_one(declared["default"]):
        raise InvalidPromptError(f"{at}.default", f"is no {declared['type']}")


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
