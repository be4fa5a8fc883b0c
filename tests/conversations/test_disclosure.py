"""The first AI reply of a conversation tells the customer that an AI answers, once, in the same message."""

import pytest

from billing.models import Event
from channels_app.senders import instagram, whatsapp
from conversations import events
from conversations.models import Conversation, Delivery, Message
from tests.conversations import answering
from tests.conversations.test_events import told as report_status
from tests.conversations.test_told import listen
from tests.factories import AgentFactory, CustomerFactory, InboundMessageFactory

DISCLOSURE = "You are chatting with an AI assistant."


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory(disclosure=DISCLOSURE)


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


def receive(customer, text="Hello") -> None:
    InboundMessageFactory(customer=customer, text=text)
    answering.drain(customer.phone_number_id)


def sent(graph) -> list[str]:
    return [post["body"]["text"]["body"] for post in graph.requests(api="graph")]


def conversation() -> Conversation:
    return Conversation.objects.get()


class TestFirstReply:
    def test_has_the_disclosure_in_the_same_message_and_the_next_has_none(self, agent, customer, graph):
        receive(customer, "One")
        disclosed_at = conversation().disclosed_at
        receive(customer, "Two")

        first, second = sent(graph)
        assert first.startswith(f"{DISCLOSURE}\n\n[simulated reply]")
        assert second.startswith("[simulated reply]")
        assert disclosed_at is not None
        assert conversation().disclosed_at == disclosed_at
        reply = Message.objects.filter(author="ai").earliest("sequence_no")
        assert (reply.text, conversation().disclosed_by) == (first, reply.pk)

    def test_has_none_where_the_agent_has_none(self, agent, customer, graph):
        agent.disclosure = "  "
        agent.save()

        receive(customer)

        assert sent(graph)[0].startswith("[simulated reply]")
        assert conversation().disclosed_at is None

    def test_has_it_in_each_conversation(self, agent, graph):
        for _ in range(2):
            receive(CustomerFactory(phone_number=agent.phone_number))

        assert [text.startswith(DISCLOSURE) for text in sent(graph)] == [True, True]

    def test_has_it_when_it_is_a_fallback(self, agent, customer, graph):
        graph.behave(openai={"latency": 0, "always": {"status": 400}})

        receive(customer)

        assert sent(graph) == [f"{DISCLOSURE}\n\nSorry, later."]

    def test_has_it_when_it_hands_over_to_a_person(self, agent, customer, graph):
        agent.handover_enabled, agent.handover_message = True, "Ada will answer you."
        agent.save()
        call = {"tool_call": {"name": "hand_over", "arguments": {"reason": "wants a person"}}}
        graph.behave(openai={"latency": 0, "script": [call]})

        receive(customer)

        assert sent(graph) == [f"{DISCLOSURE}\n\nAda will answer you."]

    def test_has_it_when_the_credits_are_out(self, graph, transactional_db, valkey):
        agent = AgentFactory(disclosure=DISCLOSURE, unavailable_message="We are closed.", credits=0)

        receive(CustomerFactory(phone_number=agent.phone_number))

        assert sent(graph) == [f"{DISCLOSURE}\n\nWe are closed."]

    def test_is_told_to_the_business_as_it_was_sent(self, agent, customer, graph):
        listen(agent.user_id, "message.sent")

        receive(customer)

        assert Event.objects.get(type="message.sent").data["text"] == sent(graph)[0]

    def test_is_what_the_model_wrote_in_openais_copy(self, agent, customer, graph):
        receive(customer, "One")
        receive(customer, "Two")

        bodies = [call["body"] for call in graph.requests(api="openai", path="/v1/responses")]
        assert DISCLOSURE not in str(bodies)

    @pytest.mark.parametrize("sender", [whatsapp, instagram])
    def test_has_the_longest_disclosure_in_its_first_part(self, sender):
        text = "ж" * 200 + "\n\n" + "A sentence of words. " * 400

        first, *_ = sender.parts(text)

        assert first.startswith("ж" * 200)

    def test_has_it_once_when_it_is_long(self, agent, customer, graph):
        graph.behave(openai={"latency": 0, "script": [{"text": "A sentence of words. " * 400}]})

        receive(customer)

        assert [DISCLOSURE in text for text in sent(graph)] == [True, False, False]


class TestUndelivered:
    def test_reply_does_not_count_so_the_next_has_it_again(self, agent, customer, graph):
        graph.behave(graph={"latency": 0, "script": [{"code": 131026}]})

        receive(customer, "One")
        assert (conversation().disclosed_at, conversation().disclosed_by) == (None, "")
        receive(customer, "Two")

        assert [text.startswith(DISCLOSURE) for text in sent(graph)] == [True, True]
        assert conversation().disclosed_by == Message.objects.filter(author="ai").latest("sequence_no").pk

    def test_reply_that_fails_later_does_not_count(self, agent, customer, graph):
        receive(customer, "One")
        report_status(Delivery.objects.get(), "failed")
        events.apply()

        receive(customer, "Two")

        assert [text.startswith(DISCLOSURE) for text in sent(graph)] == [True, True]

    def test_reply_of_unknown_outcome_counts(self, agent, customer, graph):
        graph.behave(graph={"latency": 0, "script": [{"drop_after_accept": True}]})

        receive(customer, "One")
        receive(customer, "Two")

        assert [text.startswith(DISCLOSURE) for text in sent(graph)] == [True, False]

    def test_failure_of_a_later_reply_withdraws_nothing(self, agent, customer, graph):
        receive(customer, "One")
        graph.behave(graph={"latency": 0, "script": [{"code": 131026}]})
        receive(customer, "Two")

        receive(customer, "Three")

        assert [text.startswith(DISCLOSURE) for text in sent(graph)] == [True, False, False]


class TestStoring:
    def test_takes_one_statement(self, agent, customer, django_assert_num_queries):
        InboundMessageFactory(customer=customer)
        turn = answering.claim(agent.phone_number_id)

        with django_assert_num_queries(1):
            answering.store_reply(turn, text="Good day")

        assert Delivery.objects.get().text == f"{DISCLOSURE}\n\nGood day"

    def test_begins_with_the_disclosure_that_held_when_the_turn_was_opened(self, agent, customer):
        InboundMessageFactory(customer=customer)
        turn = answering.claim(agent.phone_number_id)
        agent.disclosure = ""
        agent.save()

        answering.store_reply(turn, text="Good day")

        assert Delivery.objects.get().text.startswith(DISCLOSURE)
