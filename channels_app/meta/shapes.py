"""What the shapes of foreign JSON have in common: strict where a message hangs on it, lenient elsewhere."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from channels_app.meta import body

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


def present(items: Iterable[T | None] | None) -> list[T]:
    """Leave out of a lenient list what could not be read."""
    return [item for item in items or () if item is not None]


def reason(error: ValueError) -> str:
    """Name the fields at fault, never their contents."""
    if not isinstance(error, ValidationError):
        return str(error) if isinstance(error, UnfitError) else type(error).__name__
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    return ", ".join(
        f"{'.'.join(map(str, (error.title, *fault['loc'])))} {fault['type']}" for fault in faults[:3]
    )


def unshowable(what: str) -> str:
    """Tell the model that there was something else, of which only this is known."""
    return f"The customer sent something that cannot be shown here ({what[:200]})"


def sentences(*parts: str) -> str:
    """Put together what is known beside a message."""
    return ". ".join(part for part in parts if part)
