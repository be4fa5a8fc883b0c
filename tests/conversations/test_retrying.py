"""Retry by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing import ledger
from billing.models import Credit
from channels_app.models import InboundMessage
from conversations import closing, events, leases, retrying, takeover
from conversations.models import Delivery, Message, Turn
from conversations.service_window import WindowClosedError
from conversations.sweeper import unsent_messages
from tests.conversations import answering
from tests.conversations.test_events import told
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
    return answering.drain(agent.phone_number_id)


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

    def test_part_that_fails_after_the_retry_of_another_is_shown_and_can_be_retried(
        self, agent, customer, graph
    ):
        graph.behave(openai={"script": [{"text": LONG * 3}]}, graph={"script": [{}, {"code": 131026}]})
        wrote(customer)
        drain(agent)
        reply = message(author="ai")
        retrying.retry(message_id=reply.pk)
        retrying.send(message_id=reply.pk)
        assert (message(pk=reply.pk).status, balance()) == ("sent", 9)

        told(Delivery.objects.get(part=1), "failed")
        events.apply()

        assert (message(pk=reply.pk).status, balance()) == ("failed", 10)
        assert retrying.retry(message_id=reply.pk) is True
        retrying.send(message_id=reply.pk)
        assert [(d.part, d.state) for d in Delivery.objects.filter(attempt=3)] == [(1, "sent")]
        assert (message(pk=reply.pk).status, balance()) == ("sent", 9)


class TestFallback:
    def test_that_failed_is_sent_again_for_nothing(self, agent, customer, graph):
        graph.behave(openai={"script": [{"status": 401}]}, graph={"script": [{"code": 131026}]})
        wrote(customer)
        drain(agent)
        fallback = message(author="ai")
        assert (fallback.kind, fallback.status, balance()) == ("fallback", "failed", 10)

        retrying.retry(message_id=fallback.pk)
        retrying.send(message_id=fallback.pk)

        assert (message(pk=fallback.pk).status, balance()) == ("sent", 10)


class TestPauseAfterTheFirstPart:
    @pytest.fixture
    def interrupted(self, graph, transactional_db, valkey) -> Message:
        """A reply of several parts on Instagram, paused by a program after its first part."""
        agent = AgentFactory(phone_number__type="instagram")
        customer = CustomerFactory(phone_number=agent.phone_number, wa_id=None, ig_id="8123456789012345")
        graph.behave(openai={"script": [{"text": LONG}]})
        wrote(customer)
        turn = answering.claim(agent.phone_number_id)
        assert turn is not None
        answering.store_reply(turn, text=LONG)
        assert Delivery.objects.count() > 2
        with leases.held(turn.lease_token):
            first = answering.begin(turn)
            answering.finish(turn, first, "sent", "mid.1")
            takeover.pause(customer_id=customer.pk, reason="a program")
            answering.deliver(turn)
        return message(author="ai")

    def test_keeps_the_charge_since_a_part_was_sent(self, interrupted):
        assert interrupted.status == "failed"
        assert balance() == 9

    def test_costs_nothing_more_when_the_rest_is_sent(self, interrupted):
        retrying.retry(message_id=interrupted.pk)
        retrying.send(message_id=interrupted.pk)

        assert (message(pk=interrupted.pk).status, balance()) == ("sent", 9)

    def test_is_refunded_when_the_part_that_was_sent_fails(self, interrupted):
        told(Delivery.objects.get(part=1), "failed", provider_message_id="mid.1")
        events.apply()

        assert balance() == 10

    def test_before_the_first_part_is_refunded(self, agent, customer):
        wrote(customer)
        turn = answering.claim(agent.phone_number_id)
        answering.store_reply(turn, text=LONG)
        takeover.pause(customer_id=customer.pk, reason="a program")
        with leases.held(turn.lease_token):
            answering.deliver(turn)

        assert (message(author="ai").status, balance()) == ("failed", 10)


class TestEndedConversation:
    def test_retried_message_that_joins_a_newer_turn_is_shown_to_the_model(self, agent, customer, graph):
        graph.behave(openai={"script": [{"status": 401}]})
        wrote(customer, "Do you deliver?")
        drain(agent)
        failed = message(author="customer")
        closing.close(conversation_id=failed.conversation_id)
        wrote(customer, "Anyone?")

        retrying.retry(message_id=failed.pk)
        drain(agent)

        newest = [r["body"]["input"] for r in graph.requests(api="openai", path="/v1/responses")][-1]
        said = [item["content"] for item in newest if item["role"] == "user"]
        assert said[0].endswith("Do you deliver?")
        assert said[1:] == ["Anyone?"]
        assert message(pk=failed.pk).openai_knows


class TestTakenBack:
    def test_message_that_was_taken_back_is_not_answered(self, agent, customer, graph):
        graph.behave(openai={"script": [{"status": 401}]})
        wrote(customer)
        drain(agent)
        failed = message(author="customer")
        Message.objects.filter(pk=failed.pk).update(deleted_at=timezone.now())

        with pytest.raises(retrying.TakenBackError):
            retrying.retry(message_id=failed.pk)
