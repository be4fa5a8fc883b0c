"""What a claim writes."""

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import Credit, CreditEntry
from channels_app.models import InboundMessage
from conversations.answering import append_messages, open_turn
from conversations.answering.open_turn import OpenTurn
from conversations.models import Conversation, Message, Turn
from tests.conversations import answering
from tests.factories import SENT_AT, AgentFactory, CustomerFactory, InboundMessageFactory


@pytest.fixture
def agent(db):
    return AgentFactory()


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


def claim(agent) -> OpenTurn | None:
    return answering.claim(agent.phone_number_id)


def balance(agent) -> int:
    return Credit.objects.get(user=agent.user).remaining_credits


class TestMessages:
    def test_are_all_that_the_customer_waits_with_in_the_order_they_were_written(self, agent, customer):
        for text, seconds in (("three", 2), ("one", 0), ("two", 1), ("also two", 1)):
            InboundMessageFactory(customer=customer, text=text, sent_at=SENT_AT + timedelta(seconds=seconds))

        turn = claim(agent)

        said = Message.objects.filter(turn_id=turn.turn_id).order_by("sequence_no")
        assert [m.text for m in said] == ["one", "two", "also two", "three"]
        assert [m.sequence_no for m in said] == [1, 2, 3, 4]
        assert {(m.sender, m.author, m.status) for m in said} == {("user", "customer", "delivered")}
        assert [m.timestamp for m in said][-1] == SENT_AT + timedelta(seconds=2)
        assert set(InboundMessage.objects.values_list("status", "turn_id")) == {("processing", turn.turn_id)}

    def test_leave_ignored_ones_out(self, agent, customer):
        InboundMessageFactory(customer=customer, text="Hello")
        InboundMessageFactory(customer=customer, kind="image", status="ignored")

        claim(agent)

        assert [m.text for m in Message.objects.all()] == ["Hello"]

    def test_go_on_counting_where_the_conversation_stands(self, agent, customer):
        InboundMessageFactory.create_batch(2, customer=customer)
        open_turn.close([claim(agent).turn_id])
        InboundMessageFactory.create_batch(3, customer=customer)

        turn = claim(agent)

        numbers = Message.objects.filter(turn_id=turn.turn_id).values_list("sequence_no", flat=True)
        assert sorted(numbers) == [3, 4, 5]
        assert Conversation.objects.get().last_sequence_no == 5

    def test_are_never_more_than_a_model_can_be_sent_at_once(self, agent, customer, monkeypatch):
        monkeypatch.setattr(append_messages, "MAX_MESSAGES", 3)
        InboundMessageFactory.create_batch(5, customer=customer)

        first = claim(agent)
        open_turn.close([first.turn_id])
        second = claim(agent)

        assert [m.turn_id for m in Message.objects.order_by("sequence_no")] == (
            [first.turn_id] * 3 + [second.turn_id] * 2
        )


class TestTurn:
    def test_is_held_until_its_lease_runs_out(self, agent, customer, settings):
        InboundMessageFactory(customer=customer)
        before = timezone.now()

        turn = claim(agent)

        row = Turn.objects.get()
        assert (row.turn_id, str(row.lease_token)) == (turn.turn_id, turn.lease_token)
        assert (row.state, row.attempts) == ("claimed", 0)
        assert row.lease_expires_at >= before + timedelta(milliseconds=settings.TURN_LEASE)
        assert row.deadline_at >= before + timedelta(milliseconds=settings.TURN_DEADLINE)
        assert turn.ask_until < turn.deadline <= time.monotonic() + settings.TURN_DEADLINE / 1000

    def test_remembers_what_it_was_claimed_under(self, agent, customer):
        InboundMessageFactory(customer=customer, correlation_id="trace-1")
        InboundMessageFactory(customer=customer, correlation_id="trace-2", sent_at=SENT_AT + timedelta(1))

        turn = claim(agent)

        assert turn.settings.as_json() == Turn.objects.get().snapshot == {
            "user_id": agent.user_id,
            "agent_id": agent.agent_id,
            "prompt_id": agent.prompt_id,
            "prompt_version": 1,
            "fallback_message": "Sorry, later.",
            "handover_enabled": False,
            "handover_message": "",
            "disclosure": "",
            "customer_name": "",
            "business_name": "Test",
            "timezone": "UTC",
            "channel": "whatsapp",
            "price": 1,
            "correlation_id": "trace-2",
        }  # fmt: skip
        assert turn.correlation_id == "trace-2"

    @pytest.mark.parametrize(
        ("prompt", "version"), [({"prompt_version": 7}, 7), ({"prompt_id": f"pmpt_{uuid.uuid4()}"}, None)]
    )
    def test_remembers_the_prompt_version_of_the_agent_or_none(self, db, prompt, version):
        agent = AgentFactory(**prompt)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert claim(agent).settings.prompt_version == version

    def test_does_not_use_a_prompt_of_another_user(self, agent, db):
        thief = AgentFactory(prompt_id=agent.prompt_id)
        InboundMessageFactory(customer__phone_number=thief.phone_number)

        assert claim(thief).settings.prompt_version is None


class TestConversation:
    def test_is_one_for_a_customer_and_an_agent(self, agent, customer):
        for _ in range(2):
            InboundMessageFactory(customer=customer)
            open_turn.close([claim(agent).turn_id])

        conversation = Conversation.objects.get()
        assert (conversation.agent, conversation.customer) == (agent, customer)
        assert (conversation.customer_phone, conversation.is_active) == (customer.wa_id, True)

    def test_is_another_for_another_agent(self, agent, customer):
        InboundMessageFactory(customer=customer)
        open_turn.close([claim(agent).turn_id])
        agent.deleted_at = timezone.now()
        agent.save()
        successor = AgentFactory(phone_number=agent.phone_number)
        InboundMessageFactory(customer=customer)

        turn = claim(successor)

        assert Conversation.objects.get(pk=turn.conversation_id).agent == successor
        assert Conversation.objects.count() == 2

    def test_goes_on_when_the_phone_becomes_known(self, agent):
        customer = CustomerFactory(phone_number=agent.phone_number, wa_id=None, bsuid="US.1349")
        InboundMessageFactory(customer=customer)
        open_turn.close([claim(agent).turn_id])
        customer.wa_id = "12025550143"
        customer.save()
        InboundMessageFactory(customer=customer)

        claim(agent)

        conversation = Conversation.objects.get()
        assert (conversation.customer_phone, conversation.messages.count()) == ("12025550143", 2)

    def test_names_the_bsuid_where_there_is_no_phone(self, agent):
        customer = CustomerFactory(phone_number=agent.phone_number, wa_id=None, bsuid="US.1349")
        InboundMessageFactory(customer=customer)

        claim(agent)

        assert Conversation.objects.get().customer_phone == "US.1349"


class TestCredit:
    def test_is_taken_once_under_the_turns_id(self, agent, customer):
        InboundMessageFactory.create_batch(3, customer=customer)

        turn = claim(agent)

        [entry] = CreditEntry.objects.filter(kind="charge")
        assert (entry.user, entry.amount, entry.reference) == (agent.user, -1, turn.turn_id)
        assert balance(agent) == 9

    def test_may_cost_more_or_nothing(self, agent, customer, settings):
        left = []
        for price in (4, 0):
            settings.CREDITS_PER_REPLY = price
            InboundMessageFactory(customer=customer)
            open_turn.close([claim(agent).turn_id])
            left.append(balance(agent))

        assert left == [6, 6]

    def test_that_is_lacking_rejects_the_messages_and_keeps_them(self, db):
        agent = AgentFactory(credits=0)
        InboundMessageFactory(customer__phone_number=agent.phone_number, text="Hello")

        assert claim(agent) is None

        [turn], [message], [inbound] = Turn.objects.all(), Message.objects.all(), InboundMessage.objects.all()
        assert (turn.state, turn.error, turn.closed_at is None) == ("failed", "insufficient_credits", False)
        assert (message.text, message.status) == ("Hello", "failed")
        assert message.failure_reason == "insufficient_credits"
        assert (inbound.status, inbound.reason) == ("rejected", "insufficient_credits")
        assert not CreditEntry.objects.filter(kind="charge").exists()

    def test_that_comes_later_does_not_answer_what_was_rejected(self, db):
        agent = AgentFactory(credits=0)
        InboundMessageFactory(customer__phone_number=agent.phone_number)
        claim(agent)

        Credit.objects.update(remaining_credits=5)

        assert claim(agent) is None
