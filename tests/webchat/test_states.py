"""What a visitor sees of how their message fares, and that whoever has the chat open is told at once."""

import pytest

from agents.models import Agent
from billing.models import Credit, CreditEntry
from channels_app.models import Customer
from channels_app.webchat import pubsub
from conversations import events, retrying, staff_reply, takeover
from conversations.models import Conversation, Message
from tests.conversations import answering
from tests.rig import PATIENCE, wait_until
from tests.webchat.browser_calls import Browser, agent_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rings(valkey):
    """What was rung; call it to hear it."""
    heard = valkey.pubsub(ignore_subscribe_messages=True)
    heard.psubscribe("webchat:*")
    wait_until(valkey.pubsub_numpat, what="the subscription")

    def hear() -> set[tuple[str, str]]:
        # Comes after all that was rung before.
        valkey.publish("webchat:end", "end")
        found: set[tuple[str, str]] = set()
        while ("webchat:end", "end") not in found:
            if message := heard.get_message(timeout=PATIENCE):
                found.add((message["channel"].decode(), message["data"].decode()))
        return found - {("webchat:end", "end")}

    yield hear
    heard.close()


@pytest.fixture
def patient(settings):
    """Nobody waits for more to be written."""
    settings.REPLY_DEBOUNCE = settings.REPLY_DEBOUNCE_MAX = 0


def anonymous_talk() -> Conversation:
    """Give the talk of the one visitor who has not signed in."""
    return Conversation.objects.get(customer__visitor_id__startswith="vis-")


def shown(answer) -> list[tuple[str, str]]:
    return [(message["from"], message["status"]) for message in answer["messages"]]


class TestAnswered:
    def test_is_told_again_with_the_answer_behind_it(self, browser, chat, model, rings):
        browser.write("Hello")
        before, customer = browser.messages(), Customer.objects.get()

        answering.drain(chat.pk)

        after = browser.messages(after=before["cursor"])
        assert [message["id"] for message in before["messages"]] == [after["messages"][0]["id"]]
        assert shown(after) == [("visitor", "answered"), ("ai", "sent")]
        assert Message.objects.get(author="ai").deliveries.get().provider_message_id.startswith("web:dlv_")
        expected = {
            (pubsub.newcomer_channel(phone_number_id=chat.pk, visitor_id=customer.visitor_id), "changed"),
            (pubsub.channel(customer.pk), "changed"),
            (pubsub.channel(customer.pk), "typing"),
        }
        found: set[tuple[str, str]] = set()
        wait_until(lambda: found.update(rings()) or found >= expected, what="a ring of each kind")


class TestUnavailable:
    def test_is_what_nobody_can_pay_for(self, browser, chat, patient, rings):
        browser.write("Hello")
        before = browser.messages()
        Credit.objects.update(remaining_credits=0)

        rings()
        answering.drain(chat.pk)

        after = browser.messages(after=before["cursor"])
        assert after["state"] == {"is_available": False, "is_paused": False}
        assert shown(after) == [("visitor", "unavailable")]
        assert browser.get("config").json()["is_available"] is False
        assert (pubsub.channel(Customer.objects.get().pk), "changed") in rings()


class TestFailed:
    def test_is_what_the_model_could_not_answer(self, browser, chat, model):
        Agent.objects.update(fallback_message="Sorry, later.")
        model.behave(openai={"errors": {"400": 1}})
        browser.write("Hello")

        answering.drain(chat.pk)

        assert shown(browser.messages()) == [("visitor", "failed"), ("ai", "sent")]
        assert CreditEntry.objects.filter(kind="refund").count() == 1


class TestAPerson:
    def test_answers_as_themselves(self, browser, chat, model, rings):
        browser.write("Hello")
        answering.drain(chat.pk)
        seen, talk = browser.messages()["cursor"], Conversation.objects.get(agent=agent_of(chat))

        rings()
        message = staff_reply.send(conversation_id=talk.pk, text="I **am** here", actor="admin:ana")
        retrying.send(message_id=message.pk)

        answer = browser.messages(after=seen)
        assert answer["state"] == {"is_available": True, "is_paused": True}
        assert [(one["from"], one["text"]) for one in answer["messages"]] == [("staff", "I **am** here")]
        assert (pubsub.channel(talk.customer_id), "changed") in rings()

    def test_goes_on_answering_whoever_signs_in_meanwhile(self, browser, chat, model):
        identity = chat.token_of("4711")
        Browser(chat).begin(identity_token=identity).write("From the phone")
        browser.write("Hello")
        answering.drain(chat.pk)
        takeover.pause_conversation(conversation_id=anonymous_talk().pk)

        browser.begin(identity_token=identity)
        events.apply()

        assert browser.messages()["state"] == {"is_available": True, "is_paused": True}

    def test_is_told_to_whoever_has_the_chat_open(self, browser, chat, model, rings):
        browser.write("Hello")
        answering.drain(chat.pk)
        talk = Conversation.objects.get()

        rings()
        takeover.pause_conversation(conversation_id=talk.pk)
        paused = rings()
        takeover.resume_conversation(conversation_id=talk.pk)

        assert paused == rings() == {(pubsub.channel(talk.customer_id), "changed")}
