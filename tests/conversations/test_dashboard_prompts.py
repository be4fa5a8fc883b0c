"""Replies that OpenAI refuses because their dashboard prompt has ended end in a fallback and an event."""

import pytest

from billing.models import Credit, Event
from conversations.models import Message, Turn
from tests.conversations import answering
from tests.factories import AgentFactory, InboundMessageFactory

REFUSALS = {
    "prompt_not_found": {"dashboard_prompts": False},
    # What OpenAI answers is not documented: without any parameter or code it must not be silent either.
    "404": {"openai": {"latency": 0, "always": {"status": 404}}},
    "400": {"openai": {"latency": 0, "always": {"status": 400}}},
}


def receive(agent) -> None:
    InboundMessageFactory(customer__phone_number=agent.phone_number)
    answering.drain(agent.phone_number_id)


def raised(type_: str) -> list[dict]:
    return list(Event.objects.filter(type=type_).values_list("data", flat=True))


@pytest.mark.parametrize(("code", "behaviour"), REFUSALS.items(), ids=REFUSALS)
def test_the_customer_gets_the_fallback_and_the_business_an_event(
    graph, transactional_db, valkey, code, behaviour
):
    agent = AgentFactory(prompt_id="pmpt_123", fallback_message="Sorry, later.")
    graph.behave(**behaviour)

    receive(agent)
    receive(agent)

    texts = [post["body"]["text"]["body"] for post in graph.requests(api="graph")]
    assert texts == ["Sorry, later."] * 2
    assert [data["reason"] for data in raised("message.failed")] == [f"model: {code}"] * 2
    (data,) = raised("prompt.ended")
    assert (data["agent_id"], data["prompt_id"]) == (agent.pk, "pmpt_123")
    assert data["reason"] == f"model: {code}"
    assert Credit.objects.get().remaining_credits == 10


def test_without_a_fallback_the_business_still_gets_both_events(graph, transactional_db, valkey):
    agent = AgentFactory(prompt_id="pmpt_123", fallback_message="")
    graph.behave(dashboard_prompts=False)

    receive(agent)

    assert Turn.objects.get().state == "failed"
    assert [len(raised(type_)) for type_ in ("message.failed", "prompt.ended")] == [1, 1]


def test_a_dashboard_prompt_that_openai_still_answers_raises_nothing(graph, transactional_db, valkey):
    receive(AgentFactory(prompt_id="pmpt_123"))

    assert Message.objects.get(author="ai").text.startswith("[simulated reply]")
    assert raised("prompt.ended") == []


@pytest.mark.parametrize("step", [{"status": 400}, {"refusal": "No."}])
def test_a_refusal_of_a_prompt_of_ours_raises_no_event_of_the_prompt(graph, transactional_db, valkey, step):
    graph.behave(openai={"latency": 0, "always": step})

    receive(AgentFactory())

    assert len(raised("message.failed")) == 1
    assert raised("prompt.ended") == []


@pytest.mark.parametrize(
    "step", [{"refusal": "No."}, {"status": 401}, {"status": 429, "code": "insufficient_quota"}]
)
def test_what_has_another_reason_raises_no_event_of_the_prompt(graph, transactional_db, valkey, step):
    graph.behave(openai={"latency": 0, "always": step})

    receive(AgentFactory(prompt_id="pmpt_123"))

    assert len(raised("message.failed")) == 1
    assert raised("prompt.ended") == []
