"""Our transcript, in the form OpenAI takes."""

from datetime import timedelta

from conversations.answering import openai_copy
from tests.conversations.copies import items, read
from tests.factories import SENT_AT, ConversationFactory, MessageFactory, TurnFactory
from tests.openai_items import text_of


def lacking(conversation, **changes) -> None:
    MessageFactory(conversation=conversation, openai_knows=False, **changes)


class TestItems:
    def test_are_what_openai_lacks_oldest_first(self, db):
        conversation = ConversationFactory()
        MessageFactory(conversation=conversation, text="Known", sequence_no=1)
        lacking(conversation, text="May I help?", author="staff", sequence_no=3)
        lacking(conversation, text="Hello", author="customer", sequence_no=2)
        MessageFactory(openai_knows=False)

        assert items(conversation) == [
            {"type": "message", "role": "user", "content": "Hello"},
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "May I help?"}],
            },
        ]

    def test_end_with_what_is_to_be_answered(self, db):
        turn = TurnFactory()
        lacking(turn.conversation, turn=turn, author="customer", text="Retried", sequence_no=1)
        lacking(turn.conversation, author="staff", text="Meanwhile", sequence_no=2)

        assert [text_of(item) for item in items(turn.conversation, turn)] == ["Meanwhile", "Retried"]

    def test_leave_out_replies_that_never_arrived_but_not_what_the_customer_said(self, db):
        conversation = ConversationFactory()
        lacking(conversation, author="customer", status="failed", text="Hello")
        lacking(conversation, author="ai", status="failed", text="Hi")

        assert [item["content"] for item in items(conversation)] == ["Hello"]

    def test_are_the_newest_of_a_long_talk(self, db):
        conversation = ConversationFactory()
        for number in range(1, 26):
            lacking(conversation, sequence_no=number, text=str(number))

        assert [text_of(item) for item in items(conversation)] == [str(n) for n in range(6, 26)]
        assert len(read(conversation).lacking_ids) == 25

    def test_begin_with_the_outputs_of_tools(self, db):
        output = {"type": "function_call_output", "call_id": "call_1", "output": "Done."}
        conversation = ConversationFactory(openai_owed=[output])
        lacking(conversation, author="customer", text="Hello")

        assert items(conversation)[0] == output

    def test_say_when_something_was_written_that_is_answered_late(self, db):
        turn = TurnFactory()
        lacking(turn.conversation, turn=turn, author="customer", text="Hello")

        [item] = items(turn.conversation, turn, now=SENT_AT + timedelta(hours=1))

        assert item["content"] == "[Written on 2026-11-22 13:00]\nHello"

    def test_tell_of_a_reaction_once(self, db):
        conversation = ConversationFactory()
        MessageFactory(conversation=conversation, text="Hi", reaction="❤", reaction_known=False)
        MessageFactory(conversation=conversation, text="Bye", reaction="❤", reaction_known=True)

        assert [item["content"] for item in items(conversation)] == ['[The customer reacted ❤ to: "Hi"]']


class TestForgotten:
    def test_copy_lacks_the_newest_messages(self, db):
        conversation = ConversationFactory(
            openai_conversation_id="conv_1", openai_surplus=["msg_1"], openai_owed=[{"type": "x"}]
        )
        for number in range(1, 26):
            MessageFactory(conversation=conversation, sequence_no=number, text=str(number))

        openai_copy.forget(conversation.conversation_id)

        copy = read(conversation)
        assert (copy.openai_conversation_id, copy.surplus, copy.owed) == ("", [], [])
        assert [message.text for message in copy.earlier] == [str(n) for n in range(6, 26)]
