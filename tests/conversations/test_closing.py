"""Ending a conversation by hand."""

import pytest
from django.utils import timezone

from channels_app.models import InboundMessage
from conversations import closing
from conversations.models import Conversation, Message
from tests.conversations import answering
from tests.conversations.test_retrying import drain, sent, wrote
from tests.factories import AgentFactory, ConversationFactory, CustomerFactory


@pytest.fixture
def agent(graph, transactional_db, valkey):
    return AgentFactory()


@pytest.fixture
def customer(agent):
    return CustomerFactory(phone_number=agent.phone_number)


class TestClose:
    def test_ends_a_conversation_once(self, db):
        conversation = ConversationFactory(handover_at=timezone.now())

        assert closing.close(conversation_id=conversation.pk) is True
        assert closing.close(conversation_id=conversation.pk) is False

        conversation.refresh_from_db()
        assert (conversation.is_active, conversation.handover_at) == (False, None)

    def test_of_an_unknown_conversation_is_refused(self, db):
        with pytest.raises(Conversation.DoesNotExist):
            closing.close(conversation_id="cnv_none")

    def test_leads_the_next_message_to_a_new_one(self, agent, customer, graph):
        wrote(customer)
        drain(agent)
        first = Conversation.objects.get()

        closing.close(conversation_id=first.pk)
        wrote(customer, "Me again")
        drain(agent)

        second = Conversation.objects.exclude(pk=first.pk).get()
        assert (second.is_active, second.user_id) == (True, agent.user_id)
        assert second.openai_conversation_id != first.openai_conversation_id
        assert "Me again" in sent(graph)[-1]

    def test_loses_nothing_that_waits(self, agent, customer, graph):
        wrote(customer)
        drain(agent)
        wrote(customer, "Are you there?")

        closing.close(conversation_id=Conversation.objects.get().pk)
        drain(agent)

        assert "Are you there?" in sent(graph)[-1]
        assert set(InboundMessage.objects.values_list("status", flat=True)) == {"done"}

    def test_lets_a_turn_in_flight_end_in_it(self, agent, customer, graph):
        wrote(customer)
        turn = answering.claim(agent.phone_number_id)

        closing.close(conversation_id=turn.conversation_id)
        wrote(customer, "One more thing")
        answering.answer(turn)

        assert Message.objects.filter(conversation_id=turn.conversation_id).count() == 3
        assert not Conversation.objects.exclude(pk=turn.conversation_id).exists()
        assert len(sent(graph)) == 1
