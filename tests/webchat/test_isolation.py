"""What one visitor wrote and was told, no other visitor can read, whatever they hold."""

from datetime import timedelta

import pytest
from django.utils import timezone

from channels_app.models import Customer, InboundMessage
from channels_app.webchat import sessions
from conversations.models import Message
from tests.factories import ConversationFactory, MessageFactory
from tests.webchat.browser_calls import Browser, agent_of, web_chat

pytestmark = pytest.mark.django_db
SECRET = "The code is 4711"


@pytest.fixture
def victim(browser, chat):
    """A visitor with a picture, a question and an answer; `place` is the picture's."""
    file_id = browser.upload().json()["file_id"]
    browser.write("What is my code?", file_id=file_id)
    customer = Customer.objects.get()
    talk = ConversationFactory(customer=customer, agent=agent_of(chat))
    MessageFactory(conversation=talk, sequence_no=1, text=SECRET, status="sent")
    browser.place = f"files/{file_id}"
    return browser


@pytest.fixture
def attacker(victim, chat):
    return Browser(chat).begin()


def tokens(chat) -> dict[str, str]:
    """Give tokens that are good for nothing here, by what is wrong with them."""
    now = timezone.now()
    good = sessions.begin(chat, now=now).token
    body, _, signature = good.rpartition(":")
    return {
        "none": "",
        "nonsense": "nonsense",
        "expired": sessions.begin(chat, now=now - timedelta(days=30)).token,
        "from the future": sessions.begin(chat, now=now + timedelta(hours=1)).token,
        "another chat's": sessions.begin(web_chat(), now=now).token,
        "another's signature": f"{body}:{sessions.begin(chat, now=now).token.rpartition(':')[2]}",
        "unsigned": body,
        "another's body": f"{sessions.begin(chat, now=now).token.rpartition(':')[0]}:{signature}",
    }


class TestOfAnotherVisitor:
    def test_the_chat_is_empty(self, victim, attacker):
        stolen = victim.messages()["cursor"]

        assert SECRET in victim.get("messages").content.decode()
        for place in ("messages", f"messages?after={stolen}"):
            answer = attacker.get(place)
            assert answer.json()["messages"] == []
            assert SECRET not in answer.content.decode()

    def test_the_picture_does_not_exist(self, victim, attacker):
        assert victim.get(victim.place).status_code == 200
        assert attacker.get(victim.place).status_code == 404

    def test_the_picture_cannot_be_sent(self, victim, attacker):
        answer = attacker.write("Look", message_id="message-2", file_id=victim.place.removeprefix("files/"))

        assert (answer.status_code, answer.json()["code"]) == (422, "file_unknown")

    def test_nothing_becomes_read(self, victim, attacker):
        answer = attacker.post("read", {"cursor": victim.messages()["cursor"]})

        assert answer.status_code == 204
        assert Message.objects.get(text=SECRET).status == "sent"

    def test_an_id_that_was_used_is_free(self, victim, attacker):
        assert attacker.write("Mine").status_code == 202
        assert InboundMessage.objects.filter(text="Mine").get().customer.pk != Customer.objects.first().pk


class TestTokens:
    def test_that_are_not_good_open_nothing(self, victim, chat):
        cursor = victim.messages()["cursor"]
        for what, token in tokens(chat).items():
            forger = Browser(chat, token=token)

            answers = [
                forger.get("messages"),
                forger.get(f"messages?after={cursor}"),
                forger.get(victim.place),
                forger.post("read", {"cursor": cursor}),
                forger.write("Hello", message_id="message-9"),
                forger.upload(),
            ]

            assert {answer.status_code for answer in answers} == {401}, what
            assert {answer.json()["code"] for answer in answers} == {"session_invalid"}, what
        assert InboundMessage.objects.count() == 1

    def test_are_not_taken_from_the_url(self, victim, chat):
        answer = Browser(chat).get(f"messages?token={victim.token}")

        assert answer.status_code == 401

    def test_of_a_deleted_chat_open_nothing(self, victim, chat):
        chat.phone_number.deleted_at = timezone.now()
        chat.phone_number.save()

        assert victim.get("messages").status_code == 404
        assert victim.write("Hello", message_id="message-9").status_code == 404


class TestOfAnotherChat:
    def test_a_visitor_has_nothing(self, victim, chat):
        other = web_chat()
        elsewhere = Browser(other, token=victim.token)

        assert elsewhere.get("messages").status_code == 401
        assert Browser(other).begin().messages()["messages"] == []

    def test_a_known_user_is_another(self, chat):
        other = web_chat()
        here = Browser(chat).begin(identity_token=chat.token_of("4711"))
        there = Browser(other).begin(identity_token=other.token_of("4711"))

        here.write("Hello")

        assert there.messages()["messages"] == []
