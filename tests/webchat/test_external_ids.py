"""A signed-in visitor is known to the API by the id that the business's server signed."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Event
from channels_app.models import Customer
from channels_app.webchat import sessions
from channels_app.webchat.identities import User
from conversations import events
from conversations.models import Message
from tests.api import caller
from tests.conversations import answering
from tests.factories import WebhookEndpointFactory
from tests.webchat.browser_calls import Browser, accept_hashes, web_chat
from tests.webchat.server_calls import post_signed, server_message

pytestmark = pytest.mark.django_db


def external_ids() -> list[str | None]:
    return list(Customer.objects.order_by("pk").values_list("external_id", flat=True))


class TestSignedInUser:
    def test_is_known_by_the_signed_id_from_the_first_message_on(self, chat):
        Browser(chat).begin(identity_token=chat.token_of("cust-77")).write("Hello")

        assert external_ids() == ["cust-77"]

    def test_is_known_where_the_session_was_renewed_without_a_token(self, chat):
        browser = Browser(chat).begin(identity_token=chat.token_of("cust-77"))

        browser.begin().write("Hello")

        assert external_ids() == ["cust-77"]

    def test_is_known_by_a_hash_as_well(self, chat):
        accept_hashes(chat, until=timezone.now() + timedelta(days=1))
        identity = {"user_id": "cust-77", "hash": chat.hash_of("cust-77")}

        Browser(chat).begin(identity=identity).write("Hello")

        assert external_ids() == ["cust-77"]

    def test_of_an_earlier_version_is_known_once_they_open_the_chat(self, chat):
        Browser(chat).begin(identity_token=chat.token_of("cust-77")).write("Hello")
        Customer.objects.update(external_id=None)

        Browser(chat).begin(identity_token=chat.token_of("cust-77"))

        assert external_ids() == ["cust-77"]

    def test_of_an_earlier_version_whose_session_has_no_id_is_not_made_up(self, chat):
        old = sessions.Visitor(
            chat.pk, sessions.known_visitor_id("cust-77"), identified_at=int(timezone.now().timestamp())
        )
        token = sessions.begin(chat, now=timezone.now(), earlier=old).token

        assert Browser(chat, token=token).write("Hello").status_code == 202

        assert external_ids() == [None]

    def test_keeps_what_they_wrote_before_they_signed_in(self, chat):
        browser = Browser(chat).begin()
        browser.write("Hello")
        Customer.objects.update(external_id="set by hand")

        browser.begin(identity_token=chat.token_of("cust-77"))
        events.apply()

        [customer] = Customer.objects.all()
        assert customer.external_id == "cust-77"
        assert sessions.is_user(customer.visitor_id)

    def test_keeps_the_id_when_two_rows_are_merged(self, chat):
        Browser(chat).begin(identity_token=chat.token_of("cust-77")).write("On my phone")
        browser = Browser(chat).begin()
        browser.write("On my laptop", message_id="message-2")

        browser.begin(identity_token=chat.token_of("cust-77"))
        events.apply()

        assert external_ids() == ["cust-77"]

    def test_of_another_chat_is_another_customer_with_the_same_id(self, chat):
        for each in (chat, web_chat()):
            Browser(each).begin(identity_token=each.token_of("cust-77")).write("Hello")

        assert external_ids() == ["cust-77", "cust-77"]

    @pytest.mark.parametrize("letter", ["x", "ä", "語", "😀"])
    def test_of_the_longest_id_and_name_has_a_session(self, chat, letter):
        user = User(letter * 200, letter * 100)
        token = sessions.begin(chat, now=timezone.now(), user=user).token

        assert Browser(chat, token=token).write("Hello").status_code == 202

        assert external_ids() == [user.user_id]

    def test_is_found_by_the_id_in_the_api_and_in_events(self, chat):
        user = chat.phone_number.user
        WebhookEndpointFactory(user=user)
        Browser(chat).begin(identity_token=chat.token_of("cust-77", name="Ana")).write("Hello")
        Customer.objects.update(due_at=timezone.now())
        answering.claim(chat.pk)

        [message] = (
            caller.business(user.pk).get(f"/users/{user.pk}/messages?external_id=cust-77").json()["data"]
        )

        assert (message["customer"]["external_id"], message["customer"]["name"]) == ("cust-77", "Ana")
        assert message["client_message_id"] == "message-1"
        assert Event.objects.get(type="message.received").data["message"] == message


class TestAnonymousVisitor:
    def test_has_no_external_id(self, browser):
        browser.write("Hello")

        assert external_ids() == [None]

    def test_keeps_the_one_that_the_business_set(self, browser):
        browser.write("Hello")
        Customer.objects.update(external_id="set by hand")

        browser.write("And", message_id="message-2")
        browser.begin()

        assert external_ids() == ["set by hand"]


class TestServerMessage:
    def test_makes_its_customer_known_by_the_id_that_the_server_gave(self, chat):
        post_signed(server_message(chat, customer_phone="crm:77"), chat.new_secret)

        [customer] = Customer.objects.all()
        assert (customer.external_id, customer.address) == ("crm:77", "srv-crm:77")

    def test_leaves_an_id_that_the_business_set(self, chat):
        post_signed(server_message(chat), chat.new_secret)
        Customer.objects.update(external_id="cust-77")

        post_signed(server_message(chat, message_id="question-2"), chat.new_secret)

        assert external_ids() == ["cust-77"]

    def test_comes_back_with_its_own_message_id(self, chat):
        user = chat.phone_number.user
        WebhookEndpointFactory(user=user)
        post_signed(server_message(chat, message_id="order-4711-1"), chat.new_secret)
        Customer.objects.update(due_at=timezone.now())

        answering.claim(chat.pk)

        message_id = Message.objects.get().pk
        shown = caller.business(user.pk).get(f"/users/{user.pk}/messages/{message_id}").json()
        [event] = Event.objects.filter(type="message.received")
        assert shown["client_message_id"] == "order-4711-1"
        assert event.data["message"]["client_message_id"] == "order-4711-1"
