import openai
import pytest

from simulator.exchange import Json


def said(text: str, role: str = "user") -> Json:
    return {"type": "message", "role": role, "content": text}


class TestConversation:
    def test_lives_from_create_to_delete(self, client):
        made = client.conversations.create(metadata={"a": "1"}, items=[said("Hi"), said("Yes?", "assistant")])

        changed = client.conversations.update(made.id, metadata={"a": "2"})
        deleted = client.conversations.delete(made.id)

        assert made.id.startswith("conv_")
        assert made.object == "conversation"
        assert changed.metadata == {"a": "2"}
        assert (deleted.deleted, deleted.object) == (True, "conversation.deleted")
        with pytest.raises(openai.NotFoundError):
            client.conversations.retrieve(made.id)

    def test_takes_twenty_items_and_not_one_more(self, client):
        with pytest.raises(openai.BadRequestError) as caught:
            client.conversations.create(items=[said("x")] * 21)

        assert (caught.value.code, caught.value.param) == ("array_above_max_length", "items")

    def test_takes_sixteen_pairs_of_metadata(self, client):
        with pytest.raises(openai.BadRequestError):
            client.conversations.create(metadata={str(number): "x" for number in range(17)})


class TestItems:
    def test_are_listed_newest_first_page_by_page(self, client):
        conversation = client.conversations.create(items=[said(str(number)) for number in range(5)]).id

        first = client.conversations.items.list(conversation, limit=2)
        everything = [item.content[0].text for item in first]

        assert [item.content[0].text for item in first.data] == ["4", "3"]
        assert first.has_more
        assert everything == ["4", "3", "2", "1", "0"]

    def test_can_be_added_read_and_deleted(self, client):
        conversation = client.conversations.create().id

        added = client.conversations.items.create(
            conversation, items=[said("Staff was here", "assistant"), said("Hi")]
        )
        kept = client.conversations.items.retrieve(added.data[0].id, conversation_id=conversation)
        client.conversations.items.delete(added.data[1].id, conversation_id=conversation)

        assert kept.content[0].type == "output_text"
        left = client.conversations.items.list(conversation).data
        assert [item.id for item in left] == [kept.id]
        with pytest.raises(openai.NotFoundError):
            client.conversations.items.delete("msg_0", conversation_id=conversation)

    def test_of_nothing_are_an_empty_page(self, client):
        conversation = client.conversations.create().id

        page = client.conversations.items.list(conversation)

        assert page.data == []
        assert page.has_more is False
