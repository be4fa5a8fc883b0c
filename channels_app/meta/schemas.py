"""What the shapes of foreign JSON have in common: strict where a message hangs on it, lenient elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar

import structlog
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from channels_app.meta import body
from config.lib.errors import summary

log = structlog.get_logger(__name__)

T = TypeVar("T")


class UnfitError(ValueError):
    """An item lacks what its kind cannot do without; the message names it and quotes nothing."""


class Shape(BaseModel):
    """An object of Meta's, of which we name what we read."""

    model_config = ConfigDict(coerce_numbers_to_str=True, frozen=True)


def _or_nothing(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


# For what is good to have: in any other shape than expected it counts as absent.
Maybe = Annotated[T | None, WrapValidator(_or_nothing)]
# The identity of something: without it, or with one too long for an index, an item is of no use.
MessageId = Annotated[str, Field(min_length=1, max_length=body.MAX_ID_LENGTH)]
PhoneNumberId = Annotated[str, Field(min_length=1, max_length=50)]


def are_texts(values: dict[str, object], most: Mapping[str, int]) -> bool:
    """
    Check whether members are absent, null or texts of at most so many characters.

    Most webhooks are statuses of just that form. Reading those without pydantic costs a third; whatever has
    another form is read by the shapes, which know what to do about it.
    """
    for name, length in most.items():
        value = values.get(name)
        if value is not None and (type(value) is not str or len(value) > length):
            return False
    return True


def present(items: Iterable[T | None] | None) -> list[T]:
    """Leave out of a lenient list what could not be read."""
    return [item for item in items or () if item is not None]


def reason(error: Exception) -> str:
    """Return why an item could not be read: the fields at fault, never their contents."""
    if isinstance(error, UnfitError):
        return str(error)
    if not isinstance(error, ValidationError):
        log.error("meta.item_not_read", error=summary(error))
        return summary(error)
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(
        f"{'.'.join(map(str, (error.title, *fault['loc'])))} {fault['type']}" for fault in faults[:3]
    )


def unshowable(what: str) -> str:
    """Describe for the model a content of which only this is known."""
    return f"The customer sent something that cannot be shown here ({what[:200]})"


def sentences(*parts: str) -> str:
    """Put together what is known beside a message."""
    return ". ".join(part for part in parts if part)
