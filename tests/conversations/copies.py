"""The copy of a conversation, read as a turn's holder reads it."""

import json
from typing import Any

from conversations.answering import open_turn, openai_copy
from tests.factories import SENT_AT, TurnFactory


def read(conversation, turn=None) -> openai_copy.Copy:
    turn = turn or conversation.turns.first() or TurnFactory(conversation=conversation)
    row = {
        **{name: getattr(turn, name) for name in ("turn_id", "state", "phone_number_id", "customer_id")},
        **{name: getattr(turn, name) for name in ("conversation_id", "attempts", "drafts")},
    }
    return openai_copy.read(
        open_turn.resumed({**row, "snapshot": json.dumps(turn.snapshot)}, str(turn.lease_token), until=0)
    )


def items(conversation, turn=None, now=SENT_AT) -> list[dict[str, Any]]:
    return openai_copy.items(read(conversation, turn), now, "Europe/Berlin")
