"""Retry by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import ledger
from billing.models import Credit
from channels_app.models import InboundMessage
from conversations import retrying, turns
from conversations.models import Delivery, Message, Turn
from conversations.sweeper import unsent_messages
from conversations.windows import WindowClosedError
from tests.factories import AgentFactory, CustomerFactory, InboundMessageFactory

LONG = ("word " * 700).strip() + ". "


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


def wrote(customer, text="Hello", **changes) -> None:
    InboundMessageFactory(customer=customer, text=text, **{"sent_at": timezone.now(), **changes})


def drain(agent) -> int:
    return turns.drain(phone_number_id=agent.phone_number_id)


def balance() -> int:
    return Credit.objects.get().remaining_credits


def sent(graph) -> list[str]:
    return [post["body"]["text"]["body"] for post in graph.requests(api="graph")]


def message(**which) -> Message:
    return Message.objects.get(**which)


class TestMessage:
    @pytest.fixture
    def failed(self, agent, customer, graph) -> Message:
        graph.behave(openai={"script": [{"status": 401}]})
        wrote(customer)
        drain(agent)
        return message(author="customer")

    def test_that_failed_gets_a_new_turn(self, agent, graph, failed):
        assert retrying.retry(message_id=failed.pk) is True
        drain(agent)

        assert "Hello" in sent(graph)[-1]
        again = message(pk=failed.pk)
        assert (again.status, again.failed_at, again.sequence_no) == ("delivered", None, failed.sequence_no)
        assert Turn.objects.count() == 2
        assert balance() == 9

    def test_that_waits_already_is_not_retried_twice(self, agent, failed):
        retrying.retry(message_id=failed.pk)

        assert retrying.retry(message_id=failed.pk) is False
        assert drain(agent) == 1

    def test_joins_what_waits_dated_and_in_its_old_place(self, agent, customer, graph, failed):
        Message.objects.filter(pk=failed.pk).update(timestamp=timezone.now() - timedelta(hours=2))
        InboundMessage.objects.update(sent_at=timezone.now() - timedelta(hours=2))
        wrote(customer, "Anyone?")

        retrying.retry(message_id=failed.pk)
        drain(agent)

        [asked] = [r["body"]["input"] for r in graph.requests(api="openai", path="/v1/responses")][1:]
        texts = [item["content"] for item in asked]
        assert texts[-2].startswith("[Written on ")
        assert (texts[-2].endswith("Hello"), texts[-1]) == (True, "Anyone?")
        assert message(pk=failed.pk).sequence_no == 1

    def test_that_was_rejected_is_answered_after_a_top_up(self, graph, transactional_db, valkey):
        agent = AgentFactory(credits=0)
        wrote(CustomerFactory(phone_number=agent.phone_number))
        drain(agent)
        rejected = message(author="customer")

        ledger.grant(user_id=agent.user_id, amount=5, reference="top-up")
        retrying.retry(message_id=rejected.pk)
        drain(agent)

        assert "Hello" in sent(graph)[-1]
        assert balance() == 4

    def test_that_was_answered_is_refused(self, agent, customer):
        wrote(customer)
        drain(agent)

        with pytest.raises(retrying.NotFailedError):
            retrying.retry(message_id=message(author="customer").pk)

    def test_older_than_a_day_is_refused_with_the_reason(self, failed):
        InboundMessage.objects.update(sent_at=timezone.now() - timedelta(hours=25))

        with pytest.raises(WindowClosedError, match="24 hours"):
            retrying.retry(message_id=failed.pk)

        assert InboundMessage.objects.get().status == "failed"


class TestReply:
    @pytest.fixture
    def failed(self, agent, customer, graph) -> Message:
        graph.behave(graph={"script": [{"code": 131000 + 26}]})
        wrote(customer)
        drain(agent)
        return message(author="ai")

    def test_that_failed_is_sent_once_more_and_charged_again(self, graph, failed):
        assert balance() == 10

        assert retrying.retry(message_id=failed.pk) is True
        retrying.send(message_id=failed.pk)
        retrying.send(message_id=failed.pk)

        assert sent(graph) == [failed.text] * 2
        assert message(pk=failed.pk).status == "sent"
        assert [d.attempt for d in Delivery.objects.order_by("attempt")] == [1, 2]
        assert balance() == 9

    def test_that_is_on_its_way_again_is_not_sent_a_third_time(self, failed):
        retrying.retry(message_id=failed.pk)

        assert retrying.retry(message_id=failed.pk) is False
        assert Delivery.objects.filter(attempt=2).count() == 1

    def test_that_fails_again_is_refunded_again(self, graph, failed):
        graph.behave(graph={"script": [{"code": 131026}]})

        retrying.retry(message_id=failed.pk)
        retrying.send(message_id=failed.pk)

        assert message(pk=failed.pk).status == "failed"
        assert balance() == 10

    def test_needs_the_credit_that_came_back(self, failed):
        Credit.objects.update(remaining_credits=0)

        with pytest.raises(ledger.InsufficientCreditsError):
            retrying.retry(message_id=failed.pk)

        assert Delivery.objects.count() == 1

    def test_that_arrived_is_refused(self, agent, customer):
        wrote(customer)
        drain(agent)

        with pytest.raises(retrying.NotFailedError):
            retrying.retry(message_id=message(author="ai").pk)

    def test_of_several_parts_sends_only_those_that_did_not_arrive(self, agent, customer, graph):
        graph.behave(openai={"script": [{"text": LONG * 3}]}, graph={"script": [{}, {"code": 131026}]})
        wrote(customer)
        drain(agent)
        failed = message(author="ai")

        retrying.retry(message_id=failed.pk)
        retrying.send(message_id=failed.pk)

        assert [d.part for d in Delivery.objects.filter(attempt=2).order_by("part")] == [2, 3]
        assert message(pk=failed.pk).status == "sent"

    def test_whose_ring_was_lost_is_found_by_the_sweeper(self, failed):
        retrying.retry(message_id=failed.pk)
        assert unsent_messages() == []

        Delivery.objects.update(created_at=timezone.now() - timedelta(seconds=10))

        assert unsent_messages() == [failed.pk]

    def test_outside_the_window_is_refused(self, failed):
        InboundMessage.objects.update(sent_at=timezone.now() - timedelta(hours=25))

        with pytest.raises(WindowClosedError):
            retrying.retry(message_id=failed.pk)
