"""What the generator posts is what the service reads, and what the journal counts is what it sends on."""

from datetime import UTC, datetime

import pytest

from channels_app.meta import whatsapp
from tests.load import generator, journal, plan
from tests.load.pictures import PICTURE
from tests.load.plan import Load


@pytest.mark.parametrize("is_picture", [False, True])
def test_posted_message_is_read_with_its_token_and_number(is_picture):
    load = Load(rate=1, count=1, numbers=2, first_number=4, picture_every=int(is_picture))
    [message] = plan.planned(load)

    parsed = whatsapp.parse(generator.webhook(load, message, sent_at=1_790_000_000), now=datetime.now(UTC))

    [inbound] = parsed.inbound
    assert inbound.phone_number_id == plan.number(4).phone_number_id
    assert message.token in inbound.text
    assert [media.media_id for media in inbound.media] == [PICTURE.media_id] * is_picture


def test_picture_is_as_large_as_it_says_and_a_png():
    assert len(PICTURE.media.data) == PICTURE.size_bytes
    assert PICTURE.media.data.startswith(b"\x89PNG\r\n\x1a\n")


def test_pictures_of_a_model_call_are_counted_in_all_its_messages():
    content = [
        {"role": "user", "content": [{"type": "input_text", "text": "one"}, {"type": "input_image"}]},
        {"role": "user", "content": "two"},
        {"role": "user", "content": [{"type": "input_image"}, {"type": "input_image"}]},
    ]

    assert journal.pictures_in(content) == 3
    assert journal.pictures_in("only text") == 0
