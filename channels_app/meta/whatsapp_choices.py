"""What customers pick and fill in: buttons, lists and forms."""

import json

from channels_app.meta import body
from channels_app.meta.schemas import Maybe, Shape, UnfitError


class Choice(Shape):
    """A button or a row of a list."""

    id: Maybe[str] = None
    title: Maybe[str] = None
    description: Maybe[str] = None

    @property
    def words(self) -> str:
        """
        What stood on it.

        :raises UnfitError: if nothing did
        """
        words = "\n".join(part for part in (self.title or self.id, self.description) if part)
        if not words:
            raise UnfitError("choice without title")
        return words


class Form(Shape):
    """A form that was filled in (a "flow")."""

    body: Maybe[str] = None
    response_json: object = None

    @property
    def words(self) -> str:
        """The fields, one a line; as it came if it is no JSON object."""
        answer = self.response_json
        if isinstance(answer, str):
            try:
                answer = body.read(answer.encode("utf-8", "replace"))
            except body.UnreadableError:
                return str(self.response_json)
        if not isinstance(answer, dict):
            return self.body or ""
        # The token is ours, to know the form by.
        return "\n".join(f"{name}: {_plain(value)}" for name, value in answer.items() if name != "flow_token")


class Interactive(Shape):
    """An answer to something with buttons."""

    type: Maybe[str] = None
    button_reply: Maybe[Choice] = None
    list_reply: Maybe[Choice] = None
    nfm_reply: Maybe[Form] = None


class Button(Shape):
    """A button of a template."""

    text: Maybe[str] = None
    payload: Maybe[str] = None


def button(value: object) -> str:
    """
    Return the text on the button of a template.

    :raises ValueError: if nothing did
    """
    parsed = Button.model_validate(value)
    return Choice(title=parsed.text, id=parsed.payload).words


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
