"""A member of staff answers."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from billing.models import Credit
from channels_app.models import Customer, InboundMessage, PhoneNumber
from conversations import closing, retrying, staff_reply, takeover
from conversations.models import Conversation, Delivery, Message, Turn
from conversations.service_window import WindowClosedError
from conversations.sweeper import unsent_messages
from tests.conversations import answering
from tests.conversations.test_retrying import LONG, drain, sent, wrote
from tests.factories import AgentFactory, CustomerFactory, MessageFactory
from tests.openai_items import text_of
from tests.racing import at_once


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


@pytest.fixture
def conversation(agent, customer) -> Conversation:
    """A conversation in which the customer wrote and the AI answered."""
    wrote(customer)
    drain(agent)
    return Conversation.objects.get()


def say(conversation, text="This is Ann. How can I help?", **more) -> Message:
    return staff_reply.send(conversation_id=conversation.pk, text=text, actor="ann@example.com", **more)


def paused_for() -> timedelta:
    until = Customer.objects.get().paused_until
    assert until is not None
    return until - timezone.now()


class TestSay:
    def test_stores_what_was_said_and_how_it_will_be_sent(self, conversation):
        said = say(conversation)

        kept = Message.objects.get(pk=said.pk)
        assert (kept.sender, kept.author, kept.actor) == ("agent", "staff", "ann@example.com")
        assert (kept.status, kept.sequence_no, kept.openai_knows) == ("pending", 3, False)
        assert (kept.user_id, kept.turn_id) == (conversation.user_id, None)
        assert kept.deliveries.get().state == "pending"
        conversation.refresh_from_db()
        assert (conversation.last_sequence_no, conversation.last_message_at) == (3, kept.timestamp)

    def test_says_once_what_is_sent_twice(self, conversation):
        said = [say(conversation, message_id="msg_01KB2T7M3G5Q8R9S0T1V2W3X4Y") for _ in range(2)]

        assert said[0] == said[1]
        assert Delivery.objects.filter(message=said[0]).count() == 1

    def test_is_sent_although_the_ai_is_paused_and_costs_nothing(self, conversation, graph):
        said = say(conversation)

        retrying.send(message_id=said.pk)
        retrying.send(message_id=said.pk)

        assert sent(graph)[1:] == ["This is Ann. How can I help?"]
        assert Message.objects.get(pk=said.pk).status == "sent"
        assert Credit.objects.get().remaining_credits == 9

    def test_is_split_as_the_channel_wants_it(self, conversation, graph):
        said = say(conversation, f"**Dear customer**, {LONG * 3}")

        retrying.send(message_id=said.pk)

        assert [d.part for d in said.deliveries.order_by("part")] == [1, 2, 3]
        assert sent(graph)[1].startswith("*Dear customer*, word")
        assert Message.objects.get(pk=said.pk).text.startswith("**Dear customer**")

    def test_silences_the_ai_and_is_told_to_it_later(self, agent, customer, conversation, graph):
        say(conversation, "The rye bread is free today.")
        wrote(customer, "Great!")
        assert drain(agent) == 0

        takeover.resume_conversation(conversation_id=conversation.pk)
        wrote(customer, "And the cake?")
        assert drain(agent) == 1

        asked = graph.requests(api="openai", path="/v1/responses")[-1]["body"]["input"]
        assert [text_of(item) for item in asked] == [
            "The rye bread is free today.",
            "Great!",
            "And the cake?",
        ]

    def test_stops_the_answer_that_is_being_made(self, agent, customer, conversation, graph):
        wrote(customer, "Anyone?")
        turn = answering.claim(agent.phone_number_id)

        say(conversation)
        answering.answer(turn)

        assert len(sent(graph)) == 1
        assert Turn.objects.get(pk=turn.turn_id).error == "a person took over"
        assert Credit.objects.get().remaining_credits == 9

    def test_pauses_for_as_long_as_asked(self, conversation):
        say(conversation, pause_until=timezone.now() + timedelta(days=3))

        assert timedelta(days=2) < paused_for() < timedelta(days=4)

    def test_does_not_shorten_a_pause_without_being_asked(self, conversation):
        until = timezone.now() + timedelta(days=3)
        takeover.pause_conversation(conversation_id=conversation.pk, until=until)

        say(conversation)

        assert paused_for() > timedelta(days=2)

    def test_answers_a_call_for_a_person(self, conversation):
        Conversation.objects.update(handover_at=timezone.now())

        say(conversation)

        assert Conversation.objects.get().handover_at is None

    def test_works_in_a_transaction_of_the_callers(self, conversation):
        with transaction.atomic():
            said = say(conversation)
            transaction.set_rollback(True)

        assert not Message.objects.filter(pk=said.pk).exists()
        assert Customer.objects.get().paused_until is None

    def test_by_several_at_once_has_one_order(self, conversation):
        at_once(*[lambda n=n: say(conversation, f"Answer {n}") for n in range(6)])

        numbers = Message.objects.filter(author="staff").values_list("sequence_no", flat=True)
        assert sorted(numbers) == [3, 4, 5, 6, 7, 8]

    def test_whose_ring_was_lost_is_found_by_the_sweeper(self, conversation):
        said = say(conversation)

        Delivery.objects.update(created_at=timezone.now() - timedelta(seconds=10))

        assert unsent_messages() == [said.pk]

    def test_that_failed_can_be_retried(self, conversation, graph):
        graph.behave(graph={"script": [{"code": 131026}]})
        said = say(conversation)
        retrying.send(message_id=said.pk)
        assert Message.objects.get(pk=said.pk).status == "failed"

        retrying.retry(message_id=said.pk, actor="ann@example.com")
        retrying.send(message_id=said.pk)

        assert Message.objects.get(pk=said.pk).status == "sent"
        assert Credit.objects.get().remaining_credits == 9


class TestSayRefuses:
    def refuses(self, conversation, error, text="Hello") -> None:
        """Check that nothing happened, not even a pause."""
        with pytest.raises(error):
            say(conversation, text)
        assert not Message.objects.filter(author="staff").exists()
        assert Customer.objects.get().paused_until is None

    def test_an_unknown_conversation(self, agent):
        with pytest.raises(Conversation.DoesNotExist):
            staff_reply.send(conversation_id="cnv_none", text="Hello", actor="ann")

    def test_one_that_has_ended(self, conversation):
        closing.close(conversation_id=conversation.pk)

        self.refuses(conversation, staff_reply.ConversationClosedError)

    def test_when_the_customer_has_been_silent_for_a_day(self, conversation):
        InboundMessage.objects.update(sent_at=timezone.now() - timedelta(hours=25))

        self.refuses(conversation, WindowClosedError)

    def test_a_number_that_is_deleted(self, conversation):
        PhoneNumber.objects.update(deleted_at=timezone.now())

        self.refuses(conversation, staff_reply.ChannelGoneError)

    def test_an_empty_text(self, conversation):
        self.refuses(conversation, staff_reply.EmptyTextError, " \n")


class TestActor:
    def test_is_nobody_for_what_others_said(self, db):
        message = MessageFactory()

        message.refresh_from_db()

        assert message.actor == ""
