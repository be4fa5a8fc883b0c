"""A turn from claim to end."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Credit
from conversations import claims, replies, turns
from conversations.models import Conversation, Delivery, Message, Turn
from tests.conversations.test_outbox import lose
from tests.factories import AgentFactory, InboundMessageFactory, PhoneNumberFactory


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


def wrote(agent, **changes) -> None:
    InboundMessageFactory(customer__phone_number=agent.phone_number, **changes)


def drain(agent) -> int:
    return turns.drain(phone_number_id=agent.phone_number_id)


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

        assert turns.drain(phone_number_id=number.phone_number_id) == 0
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
        turn = claims.claim(phone_number_id=agent.phone_number_id)
        Conversation.objects.update(openai_conversation_id="conv_gone")

        turns.answer(turn)

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

    def test_never_again_what_killed_three_workers(self, agent, graph):
        wrote(agent)
        claims.claim(phone_number_id=agent.phone_number_id)
        Turn.objects.update(attempts=2)
        vanish()

        turns.drain(phone_number_id=agent.phone_number_id, quarantined=True)

        assert graph.requests(api="openai") == []
        assert Delivery.objects.get().text == "Sorry, later."
        assert Turn.objects.get().state == "failed"


class TestResumed:
    def test_after_the_answer_only_sends(self, agent, graph):
        wrote(agent)
        replies.store_reply(claims.claim(phone_number_id=agent.phone_number_id), text="Hi")
        vanish()

        drain(agent)

        assert graph.requests(api="openai") == []
        assert [post["body"]["text"]["body"] for post in graph.requests(api="graph")] == ["Hi"]
        assert Turn.objects.get().state == "done"

    def test_while_sending_sends_nothing_twice(self, agent, graph):
        wrote(agent)
        replies.store_reply(claims.claim(phone_number_id=agent.phone_number_id), text="Hi")
        Delivery.objects.update(state="sending")
        vanish()

        drain(agent)

        assert graph.requests(api="graph") == []
        assert (Delivery.objects.get().state, Turn.objects.get().state) == ("unknown", "done")
        assert Message.objects.get(author="ai").status == "pending"
        assert Credit.objects.get().remaining_credits == 9


class TestLost:
    def test_before_the_answer_changes_nothing(self, agent, graph):
        wrote(agent)
        turn = claims.claim(phone_number_id=agent.phone_number_id)
        lose(turn)

        turns.answer(turn)

        assert Turn.objects.get().state == "claimed"
        assert not Delivery.objects.exists()
        assert graph.requests(api="graph") == []
