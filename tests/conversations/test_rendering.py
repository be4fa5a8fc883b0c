"""Pictures that cannot be shown to the model cost no turn."""

import pytest

from config.lib import stored_files
from config.lib.breaker import Breaker
from conversations.models import Message, Turn
from tests.conversations import answering
from tests.factories import AgentFactory, InboundMessageFactory
from tests.storages import AwayStorage, use


@pytest.mark.usefixtures("graph", "transactional_db", "valkey")
def test_turn_with_a_picture_is_answered_while_the_storage_is_away(settings, monkeypatch):
    monkeypatch.setattr(stored_files, "breaker", Breaker("storage"))
    use(settings, AwayStorage)
    agent = AgentFactory()
    picture = {"kind": "image", "name": "1/a.png", "mime_type": "image/png"}
    InboundMessageFactory(
        customer__phone_number=agent.phone_number, kind="image", text="What is this?", media=[picture]
    )

    answering.drain(agent.phone_number_id)

    assert Turn.objects.get().state == "done"
    assert "an image that could not be opened]\nWhat is this?" in Message.objects.get(author="ai").text
