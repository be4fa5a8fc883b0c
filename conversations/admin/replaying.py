"""Buttons on pages of the room below: what failed or was not understood is looked at again."""

from django import forms

from channels_app.models import DeadLetter, InboundMessage
from config.admin import widgets
from config.admin.buttons import Button, ButtonForm, Press
from config.admin.pages import extend
from conversations import replay
from conversations.replay import Replayed


class SpanForm(ButtonForm):
    """From when until when, and on which number."""

    since = widgets.moment("Received from", help_text="In UTC.")
    until = widgets.moment("until", help_text="In UTC.")
    phone_number_id = widgets.text(
        "Number's id", required=False, most=50, help_text="Leave empty for all numbers."
    )

    def clean(self) -> None:
        """Refuse a span that ends before it begins."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        if since and until and until <= since:
            raise forms.ValidationError("The end must be later than the beginning.")


def _summary(replayed: Replayed) -> str:
    return (
        f"{replayed.messages} messages are back in the inbox, {replayed.dead_letters} dead letters were read"
    )


def _inbound(press: Press) -> str:
    return _summary(replay.inbound(InboundMessage.objects.filter(pk=press.row.pk)))


def _dead_letter(press: Press) -> str:
    return _summary(replay.dead_letters(DeadLetter.objects.filter(pk=press.row.pk)))


def _between(press: Press) -> str:
    span = press.data
    done = replay.between(span["since"], span["until"], phone_number_id=span["phone_number_id"])
    return f"{_summary(done)}; {span['since']:%Y-%m-%d %H:%M} to {span['until']:%Y-%m-%d %H:%M}"


def _span_button(permission: str) -> Button:
    return Button(
        name="replay-span",
        title="Replay a period",
        permission=permission,
        press=_between,
        form=SpanForm,
        icon="replay",
        explanation="Puts messages that failed, were rejected or had no readable text back into the inbox, "
        "and reads dead letters again. Messages that were answered or deleted by the customer "
        "are left alone.",
    )


extend(
    InboundMessage,
    buttons=[
        Button(
            name="replay",
            title="Replay",
            permission="channels_app.replay_inboundmessage",
            press=_inbound,
            is_offered=replay.is_replayable,
            icon="replay",
            explanation="Puts the message back into the inbox. It is answered in its original order.",
        )
    ],
    list_buttons=[_span_button("channels_app.replay_inboundmessage")],
)
extend(
    DeadLetter,
    buttons=[
        Button(
            name="replay",
            title="Read again",
            permission="channels_app.replay_deadletter",
            press=_dead_letter,
            is_offered=lambda letter: letter.replayed_at is None,
            icon="replay",
            explanation="Reads it again. This helps once the service has learned to read such messages.",
        )
    ],
    list_buttons=[_span_button("channels_app.replay_deadletter")],
)
