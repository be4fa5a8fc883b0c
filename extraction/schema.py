"""
What the model is asked to fill in, field by field with its evidence.

The JSON schema says what is wanted (scores from 1 to 3, and so on) and OpenAI holds the model to it. Reading
is lenient on purpose: one field out of range must not cost the others. `fields` looks at each.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# What each score means, for the model and for people.
LEVELS = {
    "urgency": "1 no hurry, 2 within weeks, 3 now.",
    "budget": "1 little or none, 2 some, 3 a sum that is set aside.",
    "fit": "1 hardly, 2 partly, 3 just what the business offers.",
    "engagement": "1 short answers, 2 takes part, 3 asks and answers.",
}
_SCORE: dict[str, Any] = {"enum": [1, 2, 3]}


class _Field(BaseModel):
    """Something that was said, and where."""

    model_config = ConfigDict(extra="forbid")

    confidence: Annotated[
        float,
        Field(description="How sure you are, from 0 to 1.", json_schema_extra={"minimum": 0, "maximum": 1}),
    ]
    messages: Annotated[
        list[int],
        Field(description="Numbers (`n`) of the messages that say so; at least one of the customer."),
    ]


class Text(_Field):
    """A text."""

    value: str


class Score(_Field):
    """A score."""

    value: Annotated[int, Field(json_schema_extra=_SCORE)]


class Demo(_Field):
    """A demo that the customer wants or agreed to."""

    value: Annotated[
        str,
        Field(
            description="When, at the business: `YYYY-MM-DDTHH:MM`, reckoned from the `at` of the message "
            "that names it."
        ),
    ]
    source_text: Annotated[str, Field(description="The words it was read from, as they stand there.")]


class Lead(BaseModel):
    """A lead. Whatever nobody said is null: never guess."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Text | None, Field(description="The customer's name.")]
    email: Annotated[Text | None, Field(description="The customer's e-mail address.")]
    phone: Annotated[Text | None, Field(description="A phone number the customer gave, as they wrote it.")]
    company: Annotated[Text | None, Field(description="The company the customer speaks for.")]
    intent: Annotated[Text | None, Field(description="What the customer wants, in at most ten words.")]
    urgency: Annotated[Score | None, Field(description=LEVELS["urgency"])]
    budget: Annotated[Score | None, Field(description=LEVELS["budget"])]
    fit: Annotated[Score | None, Field(description=LEVELS["fit"])]
    engagement: Annotated[Score | None, Field(description=LEVELS["engagement"])]
    demo_datetime: Annotated[Demo | None, Field(description="When the customer wants a demo or a meeting.")]
    smart_notification: Annotated[
        str | None,
        Field(description="One or two sentences for the sales person: who wants what, and what is next."),
    ]
    nothing_found: Annotated[
        str | None, Field(description="If there is no lead in it: why, in a few words. Else null.")
    ]
