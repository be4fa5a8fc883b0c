"""The fingerprint of who may use a chat is the same in Python and in SQL."""

import pytest

from channels_app.webchat import chats
from channels_app.webchat.sessions import Visitor
from conversations import feed
from tests.webchat.browser_calls import SHOP, chat_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("origins", [[], [SHOP], [SHOP, "https://www.shop.example"]])
def test_access_mark_of_the_model_is_that_of_the_query(chat, origins):
    chats.change(phone_number_id=chat.pk, allowed_origins=origins)
    visitor = Visitor(phone_number_id=chat.pk, visitor_id="vis-1")

    fingerprints = feed.fingerprints([visitor])

    assert fingerprints[visitor].access_mark == chat_of(chat.pk).access_mark
