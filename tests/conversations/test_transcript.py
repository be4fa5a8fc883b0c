"""Our transcript, in the form OpenAI takes."""

from conversations import transcript
from tests.factories import ConversationFactory, MessageFactory, TurnFactory


class TestRecentItems:
    def items(self, conversation, before_turn: str = "") -> list[dict[str, str]]:
        found = transcript.recent(conversation_id=conversation.conversation_id, before_turn=before_turn)
        return transcript.items(found)

    def test_are_what_was_said_oldest_first(self, db):
        conversation = ConversationFactory()
        MessageFactory(conversation=conversation, text="Hi", sequence_no=2)
        MessageFactory(conversation=conversation, author="customer", text="Hello", sequence_no=1)
        MessageFactory(conversation=conversation, author="staff", text="May I help?", sequence_no=3)
        MessageFactory()

        assert self.items(conversation) == [
            {"type": "message", "role": "user", "content": "Hello"},
            {"type": "message", "role": "assistant", "content": "Hi"},
            {"type": "message", "role": "assistant", "content": "May I help?"},
        ]

    def test_leave_out_the_turn_that_is_asked_now(self, db):
        turn = TurnFactory()
        for said in (None, turn):
            MessageFactory(conversation=turn.conversation, turn=said, author="customer", text=str(said))

        items = self.items(turn.conversation, turn.turn_id)

        assert [item["content"] for item in items] == ["None"]

    def test_leave_out_replies_that_never_arrived_but_not_what_the_customer_said(self, db):
        conversation = ConversationFactory()
        MessageFactory(conversation=conversation, author="customer", status="failed", text="Hello")
        MessageFactory(conversation=conversation, author="ai", status="failed", text="Hi")

        assert [item["content"] for item in self.items(conversation)] == ["Hello"]

    def test_are_the_newest_that_openai_takes_at_once(self, db):
        conversation = ConversationFactory()
        for number in range(1, 26):
            MessageFactory(conversation=conversation, sequence_no=number, text=str(number))

        assert [item["content"] for item in self.items(conversation)] == [str(n) for n in range(6, 26)]
