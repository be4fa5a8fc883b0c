"""A turn from claim to end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import openai_client
from billing.models import Credit
from conversations import leases
from conversations.models import Conversation, Delivery, Message, Turn
from tests.conversations import answering
from tests.conversations.test_outbox import lose
from tests.factories import (
    AgentFactory,
    CustomerFactory,
    InboundMessageFactory,
    PhoneNumberFactory,
    PromptVersionFactory,
)
from tests.openai_items import text_of


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


def wrote(agent, **changes) -> None:
    InboundMessageFactory(customer__phone_number=agent.phone_number, **changes)


def drain(agent) -> int:
    return answering.drain(agent.phone_number_id)


def vanish() -> None:
    """Let every holder have vanished."""
    Turn.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


class TestDrain:
    def test_answers_all_that_waits(self, agent, graph):
        wrote(agent, text="Hello"), wrote(agent, text="Good day")

        assert drain(agent) == 2

        sent = [post["body"]["text"]["body"] for post in graph.requests(api="graph")]
        assert ["Hello" in sent[0], "Good day" in sent[1]] == [True, True]
        assert set(Turn.objects.values_list("state", flat=True)) == {"done"}
        assert Credit.objects.get().remaining_credits == 8

    def test_of_a_number_where_nobody_answers_does_nothing(self, transactional_db, valkey):
        number = PhoneNumberFactory()
        InboundMessageFactory(customer__phone_number=number)

        assert answering.drain(number.phone_number_id) == 0
        assert not Turn.objects.exists()

    def test_carries_the_turns_correlation_id_to_both_vendors(self, agent, graph):
        wrote(agent, correlation_id="trace-1")

        drain(agent)

        calls = graph.requests(api="openai", path="/v1/responses") + graph.requests(api="graph")
        assert [call["headers"]["x-correlation-id"] for call in calls] == ["trace-1", "trace-1"]


class TestAsk:
    def test_remembers_the_conversation_at_openai(self, agent, graph):
        wrote(agent)

        drain(agent)

        [request] = graph.requests(api="openai", path="/v1/responses")
        assert request["body"]["conversation"] == Conversation.objects.get().openai_conversation_id

    def test_opens_another_where_that_is_gone(self, agent, graph):
        wrote(agent)
        turn = answering.claim(agent.phone_number_id)
        Conversation.objects.update(openai_conversation_id="conv_gone")

        answering.answer(turn)

        assert Conversation.objects.get().openai_conversation_id != "conv_gone"
        assert Turn.objects.get().state == "done"

    def test_that_fails_sends_the_fallback(self, agent, graph):
        graph.behave(openai={"script": [{"status": 401}]})
        wrote(agent)

        drain(agent)

        assert Delivery.objects.get().text == "Sorry, later."
        turn = Turn.objects.get()
        assert (turn.state, turn.error) == ("failed", "model: invalid_api_key")
        assert Credit.objects.get().remaining_credits == 10

    def test_with_a_prompt_that_is_too_long_sends_the_fallback_and_asks_nobody(self, agent, graph):
        PromptVersionFactory(
            prompt_id=agent.prompt_id,
            number=2,
            instructions="{{a}}" * 20_000,
            variables={"a": {"type": "string", "default": "x" * 10_000}},
        )
        type(agent).objects.update(prompt_version=2)
        wrote(agent)

        drain(agent)

        assert graph.requests(api="openai", path="/v1/responses") == []
        assert Turn.objects.get().error == "model: prompt_too_long"
        assert Delivery.objects.get().text == "Sorry, later."
        assert Credit.objects.get().remaining_credits == 10

    def test_never_again_what_killed_three_workers(self, agent, graph):
        wrote(agent)
        answering.claim(agent.phone_number_id)
        Turn.objects.update(attempts=2)
        vanish()

        answering.drain(agent.phone_number_id, quarantined=True)

        assert graph.requests(api="openai") == []
        assert Delivery.objects.get().text == "Sorry, later."
        assert Turn.objects.get().state == "failed"


class TestResumed:
    def test_after_the_answer_only_sends(self, agent, graph):
        wrote(agent)
        answering.store_reply(answering.claim(agent.phone_number_id), text="Hi")
        vanish()

        drain(agent)

        assert graph.requests(api="openai") == []
        assert [post["body"]["text"]["body"] for post in graph.requests(api="graph")] == ["Hi"]
        assert Turn.objects.get().state == "done"

    def test_while_sending_sends_nothing_twice(self, agent, graph):
        wrote(agent)
        answering.store_reply(answering.claim(agent.phone_number_id), text="Hi")
        Delivery.objects.update(state="sending")
        vanish()

        drain(agent)

        assert graph.requests(api="graph") == []
        assert (Delivery.objects.get().state, Turn.objects.get().state) == ("unknown", "done")
        assert Message.objects.get(author="ai").status == "unknown"
        assert Credit.objects.get().remaining_credits == 9


class TestLost:
    def test_before_the_answer_changes_nothing(self, agent, graph):
        wrote(agent)
        turn = answering.claim(agent.phone_number_id)
        lose(turn)

        answering.answer(turn)

        assert Turn.objects.get().state == "claimed"
        assert not Delivery.objects.exists()
        assert graph.requests(api="graph") == []


class TestDeferred:
    def test_by_a_long_retry_after_is_handed_back_until_then(self, agent, graph):
        graph.behave(openai={"script": [{"status": 429, "retry_after": 60}]})
        wrote(agent)

        drain(agent)

        turn = Turn.objects.get()
        assert (turn.state, turn.lease_token, turn.attempts) == ("claimed", None, 0)
        assert timedelta(seconds=50) < turn.not_before - timezone.now() < timedelta(seconds=61)
        assert drain(agent) == 0

        Turn.objects.update(not_before=timezone.now())
        drain(agent)
        assert (Turn.objects.get().state, Delivery.objects.get().state) == ("done", "sent")
        assert Credit.objects.get().remaining_credits == 9

    def test_is_never_longer_than_a_quarter_of_an_hour_in_all(self, agent, graph):
        graph.behave(openai={"script": [{"status": 429, "retry_after": 3600}] * 2})
        wrote(agent)
        drain(agent)
        assert Turn.objects.get().not_before - timezone.now() < timedelta(minutes=15, seconds=1)

        Turn.objects.update(not_before=timezone.now(), created_at=timezone.now() - timedelta(minutes=16))
        drain(agent)

        assert Turn.objects.get().state == "failed"
        assert Delivery.objects.get().text == "Sorry, later."
        assert Credit.objects.get().remaining_credits == 10

    def test_lets_nobody_overtake_the_customer(self, agent, graph):
        graph.behave(openai={"script": [{"status": 429, "retry_after": 60}]})
        wrote(agent)
        drain(agent)
        customer = Turn.objects.get().customer

        InboundMessageFactory(customer=customer)

        assert drain(agent) == 0

    def test_while_openai_is_left_alone(self, agent, graph):
        for _ in range(5):
            openai_client.breaker.failed()
        wrote(agent)

        drain(agent)

        assert graph.requests(api="openai") == []
        assert Turn.objects.get().not_before > timezone.now()


class TestAskedAgain:
    @pytest.fixture
    def answered(self, agent, graph) -> str:
        """A turn whose holder vanished after the model had answered, and what it was."""
        wrote(agent, text="Hello")
        turn = answering.claim(agent.phone_number_id)
        reply = answering.ask_once(turn)
        vanish()
        return reply

    def test_an_answer_that_is_there_is_not_paid_for_twice(self, agent, graph, answered):
        drain(agent)

        assert len(graph.requests(api="openai", path="/v1/responses")) == 1
        assert Message.objects.get(author="ai").text == answered
        assert Message.objects.get(author="customer").openai_knows
        assert Conversation.objects.get().openai_last_item_id

    def test_the_answer_before_it_is_not_taken_for_it(self, agent, graph):
        customer = CustomerFactory(phone_number=agent.phone_number)
        InboundMessageFactory(customer=customer, text="First")
        drain(agent)
        InboundMessageFactory(customer=customer, text="Second")
        answering.claim(agent.phone_number_id)
        vanish()

        drain(agent)

        assert "Second" in Message.objects.filter(author="ai").order_by("sequence_no").last().text
        assert len(graph.requests(api="openai", path="/v1/responses")) == 2

    def test_a_copy_in_disorder_is_rebuilt_from_the_transcript(self, agent, graph):
        customer = CustomerFactory(phone_number=agent.phone_number)
        graph.behave(openai={"script": [{"text": "Hi", "tool_call": {"name": "x"}}]})
        InboundMessageFactory(customer=customer, text="First")
        drain(agent)
        Conversation.objects.update(openai_owed=[])  # the call stands there without its output
        InboundMessageFactory(customer=customer, text="Second")

        drain(agent)

        opened = [r for r in graph.requests(api="openai") if r["path"] == "/v1/conversations"]
        last = graph.requests(api="openai", path="/v1/responses")[-1]["body"]
        assert len(opened) == 2
        assert [text_of(item).split("\n")[-1] for item in last["input"]] == ["First", "Hi", "Second"]
        assert set(Turn.objects.values_list("state", flat=True)) == {"done"}


class TestRebuiltCopy:
    """OpenAI lost the conversation: the next one is built from the transcript, once."""

    @pytest.fixture
    def customer(self, agent):
        return CustomerFactory(phone_number=agent.phone_number)

    def write(self, agent, customer, *texts: str) -> None:
        for text in texts:
            InboundMessageFactory(customer=customer, text=text, sent_at=timezone.now())
        drain(agent)

    def inputs(self, graph) -> list[list[str]]:
        """Return the texts of each request's input."""
        requests = graph.requests(api="openai", path="/v1/responses")
        return [[text_of(item) for item in request["body"]["input"]] for request in requests]

    def lose_conversation(self) -> None:
        Conversation.objects.update(openai_conversation_id="conv_lost")

    def test_rebuilt_conversation_receives_each_message_once(self, agent, customer, graph):
        graph.behave(openai={"script": [{"text": f"Reply {n}"} for n in (1, 2, 3, 4)]})
        self.write(agent, customer, "One")
        self.write(agent, customer, "Two")
        self.lose_conversation()
        graph.behave(openai={"script": [{"text": f"Reply {n}"} for n in (3, 4)]})

        self.write(agent, customer, "Three")
        self.write(agent, customer, "Four")

        assert self.inputs(graph)[-2:] == [["One", "Reply 1", "Two", "Reply 2", "Three"], ["Four"]]
        assert not Message.objects.filter(openai_knows=False).exists()

    def test_rebuilt_conversation_of_a_superseded_draft_receives_each_message_once(
        self, agent, customer, graph
    ):
        self.write(agent, customer, "One")
        self.lose_conversation()
        InboundMessageFactory(customer=customer, text="Two", sent_at=timezone.now())
        turn = answering.claim(agent.phone_number_id)
        InboundMessageFactory(customer=customer, text="Three", sent_at=timezone.now())

        answering.answer(turn)

        assert turn.drafts == 1
        assert [len(texts) for texts in self.inputs(graph)[-2:]] == [3, 1]
        assert self.inputs(graph)[-1] == ["Three"]

    def test_conversation_lost_after_a_tool_call_is_rebuilt_with_all_messages_of_the_turn(
        self, agent, customer, graph
    ):
        graph.behave(openai={"script": [{"tool_call": {"name": "x"}}]})
        for number in range(30):
            InboundMessageFactory(customer=customer, text=str(number), sent_at=timezone.now())
        turn = answering.claim(agent.phone_number_id)
        assert not answering.answer_once(turn)
        self.lose_conversation()

        answering.answer(turn)

        assert self.inputs(graph)[-1] == [str(number) for number in range(30)]

    def test_handover_message_of_the_agent_is_added_to_the_copy_after_the_calls_output(
        self, agent, customer, graph
    ):
        agent.handover_enabled, agent.handover_message = True, "Ada will answer you."
        agent.save()
        call = {"name": "hand_over", "arguments": {"reason": "refund"}}
        graph.behave(openai={"script": [{"tool_call": call}]})
        self.write(agent, customer, "A person, please")
        type(customer).objects.update(paused_until=None)

        self.write(agent, customer, "Thanks")

        assert self.inputs(graph)[-1] == [
            "A person has been told and takes over.",
            "Ada will answer you.",
            "Thanks",
        ]


class TestHandBack:
    def test_gives_up_what_only_waits_uncounted(self, agent, graph):
        wrote(agent)
        turn = answering.claim(agent.phone_number_id)

        assert leases.hand_back([turn.lease_token]) == 1

        again = answering.claim(agent.phone_number_id)
        assert (again.turn_id, again.attempts, again.is_resumed) == (turn.turn_id, 0, True)

    def test_keeps_what_is_answered(self, agent, graph):
        wrote(agent)
        turn = answering.claim(agent.phone_number_id)
        answering.store_reply(turn, text="Hi")

        assert leases.hand_back([turn.lease_token]) == 0
