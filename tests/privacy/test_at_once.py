"""Erasing while a turn, a reading or an event delivery of the customer is under way."""

import threading

import pytest
from django.db import connection

from agents.models import Agent
from billing import ledger, reconciliation
from billing.models import CreditEntry, Event, WebhookDelivery
from billing.webhooks import delivery, posting
from channels_app.models import Customer, InboundMessage
from conversations.answering import claim, openai_copy
from conversations.models import Conversation, Delivery, Message, PendingDeletion, Turn
from extraction import leads, runs
from extraction.models import Extraction
from extraction.runs import LeaseLostError
from privacy import erasure
from privacy.models import Erasure
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    ExtractionFactory,
    InboundMessageFactory,
    MessageFactory,
    WebhookEndpointFactory,
)
from tests.privacy import person
from tests.rig import wait_until


@pytest.fixture
def customer(transactional_db, valkey, openai):
    agent = AgentFactory()
    return CustomerFactory(phone_number=agent.phone_number, name=person.NAME)


def erase(customer) -> Erasure:
    return erasure.run(erasure.begin(customer_id=customer.pk, source=Erasure.Source.COMMAND).pk)


def in_thread(work) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


class TestTurn:
    def test_open_turn_ends_and_its_charge_comes_back(self, customer):
        InboundMessageFactory(customer=customer, text=person.WORDS)
        [candidate] = claim.claim([customer.phone_number_id], most=1).candidates

        erase(customer)

        assert not Turn.objects.exists()
        kinds = list(CreditEntry.objects.order_by("pk").values_list("kind", "reference"))
        assert kinds[1:] == [("charge", candidate.turn.turn_id), ("refund", candidate.turn.turn_id)]
        assert reconciliation.faults() == []

    def test_reply_that_the_model_is_making_is_not_stored(self, customer, openai):
        openai.behave(openai={"latency": 3})
        InboundMessageFactory(customer=customer, text=person.WORDS)
        answered = in_thread(lambda: answering.drain(customer.phone_number_id))
        wait_until(lambda: openai.requests(path="/responses"))

        erase(customer)
        answered.join(30)

        assert not answered.is_alive()
        assert not Message.objects.exists()
        assert not Delivery.objects.exists()
        # It may have shown that somebody types.
        assert [
            one for one in openai.requests(api="graph") if "typing_indicator" not in str(one["body"])
        ] == []
        assert ledger.balance(user_id=_business(customer)) == 10

    def test_copy_that_a_turn_opens_at_openai_meanwhile_is_deleted_there(self, customer):
        openai_copy.set_openai_conversations([("cnv_gone", "conv_orphan")])

        assert PendingDeletion.objects.get().target == "conv_orphan"

    def test_copy_that_is_given_up_is_deleted_at_openai(self, customer):
        talk = ConversationFactory(
            agent=Agent.objects.get(), customer=customer, openai_conversation_id="conv_given_up"
        )

        openai_copy.forget(talk.pk)

        assert PendingDeletion.objects.get().target == "conv_given_up"

    def test_message_that_waits_is_not_answered(self, customer):
        InboundMessageFactory(customer=customer)
        erasure.begin(customer_id=customer.pk, source=Erasure.Source.COMMAND)

        answering.drain(customer.phone_number_id)

        assert not Turn.objects.exists()


class TestReading:
    def test_reading_that_runs_writes_nothing(self, customer):
        talk = ConversationFactory(agent=Agent.objects.get(), customer=customer)
        MessageFactory(conversation=talk, author="customer", sequence_no=1, text="I am Zoe, zoe@example.com")
        reading = ExtractionFactory(conversation=talk, status="waiting", is_current=False)
        run = runs.claim(conversation_id=talk.pk)

        erase(customer)

        with pytest.raises(LeaseLostError):
            runs.fail(run, reason="x")
        assert not Extraction.objects.filter(pk=reading.pk).exists()

    def test_conversation_that_is_gone_when_it_is_read_is_no_error(self, customer, monkeypatch):
        talk = ConversationFactory(agent=Agent.objects.get(), customer=customer)
        MessageFactory(conversation=talk, author="customer", sequence_no=1)
        ExtractionFactory(conversation=talk, status="waiting", is_current=False)
        claimed = runs.claim

        def claim_and_erase(**given):
            run = claimed(**given)
            if run is not None:
                erase(customer)
            return run

        monkeypatch.setattr(runs, "claim", claim_and_erase)

        leads.extract(conversation_id=talk.pk)

        assert not Extraction.objects.exists()


class TestDelivery:
    def test_event_that_is_being_posted_goes_without_a_trace(self, customer, monkeypatch):
        endpoint = WebhookEndpointFactory(user_id=_business(customer))
        talk = ConversationFactory(agent=Agent.objects.get(), customer=customer)
        InboundMessageFactory(customer=customer)
        Event.objects.create(
            user_id=endpoint.user_id, type="lead.created", conversation_id=talk.pk, data={"name": person.NAME}
        )
        posted = posting.post

        def erase_and_post(*given):
            erase(customer)
            return posted(*given)

        monkeypatch.setattr(posting, "post", erase_and_post)

        delivery.deliver(endpoint_id=endpoint.pk)

        assert not WebhookDelivery.objects.exists()
        assert not Event.objects.exists()


class TestCommitOrder:
    def test_message_that_is_being_stored_waits_and_is_left_out(self, customer):
        """The intake holds the number: the erasure waits for it, and takes what it stored along."""
        number, wa_id = customer.phone_number_id, customer.wa_id
        InboundMessageFactory(customer=customer, text=person.WORDS)

        erase(customer)

        assert not InboundMessage.objects.filter(phone_number_id=number).exists()
        assert not Customer.objects.filter(wa_id=wa_id).exists()
        assert not Conversation.objects.exists()


def _business(customer) -> str:
    return customer.phone_number.user_id
