"""What visitors write enters the inbox once, is answered by the same turns, and is read back exactly."""

from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from agents.models import Agent
from channels_app import ingest, spool, spool_drain
from channels_app.models import Customer, InboundMessage
from conversations import events
from conversations.models import Conversation, Delivery, Message
from tests.factories import ConversationFactory, DeliveryFactory, MessageFactory
from tests.webchat.browser_calls import Browser

pytestmark = pytest.mark.django_db


def texts(answer) -> list[str]:
    return [message["text"] for message in answer["messages"]]


def statuses(answer) -> list[str]:
    return [message["status"] for message in answer["messages"]]


def conversation_of(chat) -> Conversation:
    """Give the talk of whoever wrote to the chat."""
    customer = Customer.objects.get(phone_number_id=chat.pk)
    return Conversation.objects.filter(customer=customer).first() or ConversationFactory(
        customer=customer, agent=Agent.objects.get(phone_number_id=chat.pk)
    )


def said(conversation, sequence_no: int, *, status: str = "sent", text: str = "") -> Message:
    """Have the AI have said something."""
    message = MessageFactory(
        conversation=conversation, sequence_no=sequence_no, status=status, text=text or f"Said {sequence_no}"
    )
    state = {"sent": "sent", "pending": "pending", "failed": "failed"}[status]
    DeliveryFactory(message=message, phone_number=conversation.customer.phone_number, state=state)
    return message


class TestWriting:
    def test_keeps_a_message_as_a_webhook_would(self, browser, chat):
        answer = browser.write("Do you bake rye bread?")

        row = InboundMessage.objects.get()
        assert (answer.status_code, answer.json()) == (202, {"message_id": "message-1"})
        assert (row.phone_number_id, row.kind, row.text) == (chat.pk, "text", "Do you bake rye bread?")
        assert row.provider_message_id == f"{row.customer.visitor_id}:message-1"
        assert (row.status, row.customer.address) == ("pending", row.customer.visitor_id)
        assert row.customer.due_at

    def test_keeps_the_same_message_once(self, browser):
        answers = [browser.write("Hello").status_code for _ in range(3)]

        assert answers == [202, 202, 202]
        assert InboundMessage.objects.count() == 1

    def test_keeps_the_same_id_of_another_visitor_too(self, browser, chat):
        browser.write("Hello")
        Browser(chat).begin().write("Hello")

        assert InboundMessage.objects.count() == 2
        assert Customer.objects.count() == 2

    @pytest.mark.parametrize(
        "text", ["x" * 4096, "🥐", "\u202eright to left\u200b", "<script>alert(1)</script>"]
    )
    def test_takes_whatever_people_write(self, browser, text):
        assert browser.write(text).status_code == 202
        assert texts(browser.messages()) == [text]

    @pytest.mark.parametrize(
        "body",
        [
            {"message_id": "message-1", "text": ""},
            {"message_id": "message-1", "text": " \n\t "},
            {"message_id": "message-1", "text": "x" * 4097},
            {"message_id": "message-1", "text": "NUL \0"},
            {"message_id": "short", "text": "Hello"},
            {"message_id": "message 1", "text": "Hello"},
            {"message_id": "x" * 65, "text": "Hello"},
            {"text": "Hello"},
            {"message_id": "message-1", "text": "Hello", "visitor_id": "vis-other"},
            {"message_id": "message-1", "text": 7},
            {"message_id": "message-1", "file_id": "../../etc/passwd"},
        ],
    )
    def test_refuses_what_is_no_message(self, browser, body):
        assert browser.post("messages", body).status_code == 400
        assert not InboundMessage.objects.exists()

    def test_refuses_a_megabyte(self, browser):
        assert browser.write("x" * 1_100_000).status_code == 413

    def test_believes_a_clock_that_can_be_right(self, browser):
        hour_ago = timezone.now() - timedelta(hours=1)
        browser.write("Offline", message_id="message-1", sent_at=hour_ago.isoformat())
        browser.write("Wrong clock", message_id="message-2", sent_at="2050-01-01T00:00:00Z")

        first, second = InboundMessage.objects.order_by("id")
        assert first.sent_at == hour_ago
        assert second.sent_at - first.sent_at < timedelta(hours=2)

    def test_waits_in_the_spool_while_postgres_cannot_be_written(self, browser, monkeypatch):
        """Only the writing fails here: without reading, nobody would know whose chat it is."""

        def away(*_args):
            raise OperationalError("away")

        with monkeypatch.context() as patch:
            patch.setattr(ingest.inbox, "store", away)
            patch.setattr(connection, "close", lambda: None)
            answer = browser.write("Hello")

        waiting = spool.first()
        ingest.postgres.succeeded()
        spool_drain.drain()
        assert answer.status_code == 202
        assert waiting is not None
        assert InboundMessage.objects.get().text == "Hello"


class TestReading:
    def test_begins_with_nothing(self, browser):
        answer = browser.messages()

        assert answer["messages"] == []
        assert answer["state"] == {"is_available": True, "is_paused": False}
        assert browser.messages(after=answer["cursor"])["messages"] == []

    def test_shows_what_waits_and_shows_it_once(self, browser):
        browser.write("Hello")

        answer = browser.messages()

        assert texts(answer) == ["Hello"]
        assert answer["messages"][0] | {"id": "", "at": ""} == {
            "id": "", "from": "visitor", "text": "Hello", "at": "", "image": None,
            "client_id": "message-1", "status": "received",
        }  # fmt: skip
        assert browser.messages(after=answer["cursor"])["messages"] == []

    def test_goes_on_exactly_where_it_was(self, browser, chat):
        browser.write("Hello")
        talk = conversation_of(chat)
        for number in range(1, 8):
            said(talk, number)
        newest = browser.get("messages?limit=3").json()
        said(talk, 8)

        assert texts(newest)[:2] == ["Said 6", "Said 7"]
        assert texts(browser.messages(after=newest["cursor"])) == ["Said 8"]

    def test_goes_on_page_by_page(self, browser, chat):
        browser.write("Hello")
        talk, seen = conversation_of(chat), browser.messages()["cursor"]
        for number in range(1, 8):
            said(talk, number)

        pages = []
        while True:
            answer = browser.get(f"messages?limit=3&after={seen}").json()
            seen = answer["cursor"]
            pages.append(texts(answer))
            if not answer["has_more"]:
                break

        assert pages == [["Said 1", "Said 2", "Said 3"], ["Said 4", "Said 5", "Said 6"], ["Said 7"]]

    def test_does_not_skip_a_reply_that_is_sent_after_a_later_one(self, browser, chat):
        browser.write("Hello")
        talk = conversation_of(chat)
        late, _ = said(talk, 1, status="pending"), said(talk, 2)
        before = browser.messages()
        Message.objects.filter(pk=late.pk).update(status="sent")

        after = browser.messages(after=before["cursor"])

        assert texts(before) == ["Said 2", "Hello"]
        assert texts(after) == ["Said 1"]
        assert browser.messages(after=after["cursor"])["messages"] == []

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_does_not_show_what_was_not_said(self, browser, chat, status):
        browser.write("Hello")
        said(conversation_of(chat), 1, status=status)

        assert texts(browser.messages()) == ["Hello"]

    @pytest.mark.parametrize("cursor", ["x", "e30", "W10", "bnVsbA", "A" * 5000, "%00", "eyJjIjp7fX0"])
    def test_refuses_what_is_no_cursor(self, browser, cursor):
        answer = browser.get(f"messages?after={cursor}")

        assert answer.status_code == 400


class TestHavingRead:
    def test_makes_replies_read(self, browser, chat):
        browser.write("Hello")
        message = said(conversation_of(chat), 1)

        answer = browser.post("read", {"cursor": browser.messages()["cursor"]})

        assert answer.status_code == 204
        assert Message.objects.get(pk=message.pk).status == "read"
        assert Delivery.objects.get(message=message).state == "read"
        assert statuses(browser.messages())[0] == "read"


class TestConfig:
    def test_tells_how_the_chat_looks_and_nothing_else(self, chat, settings):
        answer = Browser(chat).get("config")

        assert answer.json() == {
            "title": "Example Bakery", "subtitle": "", "welcome_text": "", "placeholder": "",
            "launcher_label": "", "color": "#1f6feb", "position": "right", "theme": "auto", "texts": {},
            "is_available": True, "events_url": f"{settings.WEBCHAT_EVENTS_URL}/webchat/{chat.pk}/events",
        }  # fmt: skip
        assert answer["Cache-Control"] == "no-cache"

    def test_is_not_there_where_nobody_answers(self, chat):
        Agent.objects.update(phone_number=None)
        chat.phone_number.deleted_at = timezone.now()

        without_agent = Browser(chat).get("config").status_code
        chat.phone_number.save()

        assert (without_agent, Browser(chat).get("config").status_code) == (404, 404)


class TestKnownUsers:
    def test_keep_one_chat_wherever_they_sign_in(self, chat):
        identity = chat.token_of("4711", name="Ana")
        one, two = Browser(chat).begin(identity_token=identity), Browser(chat).begin(identity_token=identity)

        one.write("From the phone", message_id="message-1")
        two.write("From the desk", message_id="message-2")

        assert texts(one.messages()) == texts(two.messages()) == ["From the phone", "From the desk"]
        assert Customer.objects.get().name == "Ana"

    def test_keep_what_they_wrote_before_they_signed_in(self, browser, chat):
        browser.write("Not signed in yet")
        browser.begin(identity_token=chat.token_of("4711"))

        events.apply()

        assert texts(browser.messages()) == ["Not signed in yet"]
        assert Customer.objects.get().visitor_id.startswith("usr-")

    def test_send_once_what_they_wrote_while_they_signed_in(self, browser, chat):
        """The answer was lost, and the widget sends it again under the name they have now."""
        identity = chat.token_of("4711")
        picture = browser.upload().json()["file_id"]
        browser.write("Hello", message_id="message-1")
        browser.begin(identity_token=identity).begin(identity_token=identity)

        again = browser.write("Hello", message_id="message-1")
        late = browser.write("Look", message_id="message-2", file_id=picture)

        assert (again.status_code, late.status_code) == (202, 202)
        assert list(InboundMessage.objects.order_by("id").values_list("text", flat=True)) == ["Hello", "Look"]

    def test_keep_what_came_late_under_the_name_they_had(self, browser, chat):
        identity = chat.token_of("4711")
        former = Browser(chat, token=browser.token)
        browser.begin(identity_token=identity)
        former.write("It was on its way")

        browser.begin(identity_token=identity)
        events.apply()

        assert texts(browser.messages()) == ["It was on its way"]

    def test_have_nothing_of_others_who_signed_in_there(self, browser, chat):
        browser.write("Hello", message_id="message-1")
        one, other = chat.token_of("1"), chat.token_of("2")
        browser.begin(identity_token=one)
        stranger = Browser(chat).begin(identity_token=other)

        assert stranger.write("Hello", message_id="message-1").status_code == 202
        assert InboundMessage.objects.count() == 2
