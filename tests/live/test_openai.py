"""
What only OpenAI itself can show. Costs a few tokens; runs where OPENAI_API_KEY is set.

    OPENAI_API_KEY=sk-… make test ARGS="-m live"
"""

import time

import pytest

from agents import llm, openai_client
from config.lib import event_loop
from conversations.answering import function_calls
from tests import environment

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not environment.LIVE_OPENAI_API_KEY, reason="OPENAI_API_KEY is not set"),
]


@pytest.fixture(autouse=True)
def openai(settings):
    settings.OPENAI_API_KEY = environment.LIVE_OPENAI_API_KEY
    settings.OPENAI_BASE_URL = "https://api.openai.com/v1"
    openai_client.client.cache_clear()
    yield
    openai_client.client.cache_clear()


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture
def conversation() -> str:
    return event_loop.run(llm.create_conversation(metadata={"purpose": "live test"}, deadline=soon()))


def respond(conversation, settings, *texts, **changes) -> llm.Reply:
    usual = {
        "arguments": {"model": settings.OPENAI_MODEL, "instructions": "Answer in one short sentence."},
        "conversation_id": conversation,
        "items": [{"role": "user", "content": text} for text in texts],
        "metadata": {"turn_id": "trn_live"},
        "safety_identifier": "0" * 64,
        "deadline": soon(),
    }
    return event_loop.run(llm.respond(**{**usual, **changes}))


class TestOpenAI:
    def test_answers_and_remembers(self, conversation, settings):
        first = respond(conversation, settings, "My name is Ada.")
        second = respond(conversation, settings, "What is my name?", known_item_id=first.item_ids[-1])

        assert "Ada" in second.text
        assert second.tokens_used > 0

    def test_shows_an_answer_that_was_lost(self, conversation, settings):
        reply = respond(conversation, settings, "Say hello.")

        found = respond(conversation, settings, "Say hello.", is_repeated=True)

        assert (found.text, found.response_id) == (reply.text, "")

    def test_forgets_a_draft(self, conversation, settings):
        draft = respond(conversation, settings, "Say the word pineapple.")

        event_loop.run(
            llm.remove_items(conversation_id=conversation, item_ids=draft.item_ids, deadline=soon())
        )

        assert respond(conversation, settings, "Hello?", is_repeated=True).text != draft.text

    def test_hands_over_and_goes_on(self, conversation, settings):
        asked = "I want to speak with a human being, please call your tool for that."
        reply = respond(conversation, settings, asked, tools=[function_calls.HAND_OVER])

        assert function_calls.handover_reason(reply.calls) is not None
        owed = [function_calls.output(call) for call in reply.calls]
        user = {"role": "user", "content": "Thanks"}
        assert respond(conversation, settings, items=[*owed, user], tools=[function_calls.HAND_OVER]).text

    def test_accepts_an_earlier_reply_as_output_text(self, conversation, settings):
        content = [{"type": "output_text", "text": "The magic word is pineapple."}]
        earlier = {"type": "message", "role": "assistant", "content": content}
        user = {"role": "user", "content": "What is the magic word?"}

        assert "pineapple" in respond(conversation, settings, items=[earlier, user]).text.lower()

    def test_says_that_a_conversation_is_unknown(self, settings):
        with pytest.raises(llm.ConversationLostError):
            respond("conv_0000000000000000000000000000000000000000000000", settings, "Hello")
