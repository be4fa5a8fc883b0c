"""What one request to the model carries is bounded, whatever a customer sends together."""

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from conversations.input_budget import CUT, LONGEST_INPUT, LONGEST_MESSAGE, MOST_PICTURE_BYTES
from tests.conversations.copies import items
from tests.factories import MessageFactory, TurnFactory
from tests.openai_items import text_of

MB = 1024 * 1024
NOT_SHOWN = "[The customer sent an image that was not shown]"


@pytest.fixture
def turn(db):
    return TurnFactory()


@pytest.fixture
def write(turn):
    """Return a function that adds a message to the turn."""

    def write(number: int, **changes) -> None:
        MessageFactory(
            conversation=turn.conversation,
            turn=turn,
            author="customer",
            openai_knows=False,
            sequence_no=number,
            **changes,
        )

    return write


@pytest.fixture
def picture():
    """Return a function that stores a picture of a size and returns its entry of `media`."""
    names: list[str] = []

    def picture(size: int) -> dict[str, str]:
        names.append(default_storage.save("picture.png", ContentFile(bytes(size))))
        return {"kind": "image", "name": names[-1], "mime_type": "image/png"}

    yield picture
    for name in names:
        default_storage.delete(name)


def sizes(item) -> list[int]:
    """Return the sizes of the pictures of an item, encoded."""
    parts = item["content"] if isinstance(item["content"], list) else []
    return [len(part["image_url"]) for part in parts if part["type"] == "input_image"]


class TestPictures:
    def test_newest_pictures_of_a_turn_are_sent_and_older_ones_named(self, turn, write, picture):
        for number in range(1, 6):
            write(number, text=str(number), kind="image", media=[picture(5 * MB)])

        found = items(turn.conversation, turn)

        assert [len(sizes(item)) for item in found] == [0, 0, 1, 1, 1]
        assert [text_of(item) for item in found[:2]] == [f"{NOT_SHOWN}\n1", f"{NOT_SHOWN}\n2"]
        assert sum(sum(sizes(item)) for item in found) < 1.5 * MOST_PICTURE_BYTES

    def test_pictures_of_one_message_share_the_budget_with_the_others(self, turn, write, picture):
        write(1, text="", kind="image", media=[picture(6 * MB), picture(6 * MB), picture(6 * MB)])

        [item] = items(turn.conversation, turn)

        assert (len(sizes(item)), text_of(item).split("\n")[0]) == (2, NOT_SHOWN)

    def test_no_older_picture_is_sent_after_one_that_does_not_fit(self, turn, write, picture):
        write(1, text="small", kind="image", media=[picture(10)])
        write(2, text="large", kind="image", media=[picture(10 * MB)])
        write(3, text="newest", kind="image", media=[picture(10 * MB)])

        assert [len(sizes(item)) for item in items(turn.conversation, turn)] == [0, 0, 1]

    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("image", "[The customer sent an image that could not be opened]"),
            ("sticker", "[The customer sent a sticker that could not be opened]"),
        ],
    )
    def test_picture_whose_file_is_gone_is_named_and_the_turn_goes_on(self, turn, write, kind, words):
        gone = {"kind": kind, "name": "gone.png", "mime_type": "image/png"}
        write(1, text="Look", kind=kind, media=[gone])

        assert [text_of(item) for item in items(turn.conversation, turn)] == [f"{words}\nLook"]


class TestText:
    def test_message_of_the_longest_length_is_sent_whole_and_a_longer_one_cut(self, turn, write):
        write(1, text="a" * (LONGEST_MESSAGE + 1))
        write(2, text="b" * LONGEST_MESSAGE)

        texts = [text_of(item) for item in items(turn.conversation, turn)]

        assert texts == [f"{'a' * LONGEST_MESSAGE}{CUT}", "b" * LONGEST_MESSAGE]

    def test_hundred_long_messages_are_cut_from_the_oldest_on(self, turn, write):
        for number in range(1, 101):
            write(number, text=f"{number} ".ljust(4_096, "x"))

        texts = [text_of(item) for item in items(turn.conversation, turn)]

        assert len(texts) == 100
        assert sum(map(len, texts)) <= LONGEST_INPUT + 100 * len(CUT)
        assert [len(text) for text in texts[-48:]] == [4_096] * 48
        assert set(texts[:50]) == {CUT.strip()}

    def test_transcript_of_a_long_voice_note_is_cut(self, turn, write):
        voice = {"kind": "voice", "name": "v.ogg", "mime_type": "audio/ogg", "transcript": "word " * 50_000}
        write(1, text="", kind="voice", media=[voice])

        [item] = items(turn.conversation, turn)

        assert len(text_of(item)) == LONGEST_MESSAGE + len(CUT)

    def test_earlier_messages_use_what_the_turns_own_leave(self, turn, write):
        for number in range(1, 11):
            write(number + 20, text="x" * LONGEST_MESSAGE)
        MessageFactory(
            conversation=turn.conversation, author="staff", openai_knows=False, sequence_no=1, text="Hello"
        )

        found = items(turn.conversation, turn)

        assert text_of(found[0]) == CUT.strip()
        assert [len(text_of(item)) for item in found[1:]] == [LONGEST_MESSAGE] * 10
