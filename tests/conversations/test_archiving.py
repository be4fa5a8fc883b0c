"""What an agent was talking about ends when it leaves its number."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import relinking
from agents.models import ConversationArchive
from conversations import archiving
from conversations.models import Conversation, Turn
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    CustomerFactory,
    InboundMessageFactory,
    PhoneNumberFactory,
    TurnFactory,
)


@pytest.fixture
def agent(db):
    return AgentFactory()


def archive(agent, **changes) -> ConversationArchive:
    """Note that the agent has left its number."""
    usual = {"old_agent": agent, "phone_number": agent.phone_number, "archived_at": timezone.now()}
    return ConversationArchive.objects.create(**{**usual, **changes})


def talk(agent, **changes) -> Conversation:
    return ConversationFactory(customer__phone_number=agent.phone_number, agent=agent, **changes)


def is_active(conversation: Conversation) -> bool:
    return Conversation.objects.get(pk=conversation.pk).is_active


class TestCloseArchived:
    def test_closes_the_talks_of_who_left(self, agent):
        conversations = [talk(agent) for _ in range(3)]
        left = archive(agent)

        closed = archiving.close_archived(archive_id=left.archive_id)

        assert closed == 3
        assert [is_active(conversation) for conversation in conversations] == [False] * 3
        left.refresh_from_db()
        assert left.closed_at is not None

    def test_closes_more_than_a_statement_takes(self, agent, monkeypatch):
        monkeypatch.setattr(archiving, "BATCH", 2)
        for _ in range(5):
            talk(agent)

        assert archiving.close_archived(archive_id=archive(agent).archive_id) == 5

    def test_again_closes_no_more(self, agent):
        left = archive(agent)
        talk(agent, created_at=left.archived_at - timedelta(hours=1))
        archiving.close_archived(archive_id=left.archive_id)
        first = ConversationArchive.objects.get().closed_at

        closed = archiving.close_archived(archive_id=left.archive_id)

        assert closed == 0
        assert ConversationArchive.objects.get().closed_at == first

    def test_leaves_what_began_after_the_agent_came_back(self, agent):
        left = archive(agent, archived_at=timezone.now() - timedelta(minutes=1))
        conversation = talk(agent)

        assert archiving.close_archived(archive_id=left.archive_id) == 0
        assert is_active(conversation)

    def test_leaves_other_agents_and_other_numbers(self, agent):
        elsewhere = CustomerFactory(phone_number=PhoneNumberFactory(user=agent.user))
        others = [
            ConversationFactory(),
            ConversationFactory(agent=agent, customer=elsewhere),
            ConversationFactory(
                agent=AgentFactory(phone_number=elsewhere.phone_number),
                customer=CustomerFactory(phone_number=agent.phone_number),
            ),
        ]

        assert archiving.close_archived(archive_id=archive(agent).archive_id) == 0
        assert all(is_active(conversation) for conversation in others)

    def test_leaves_a_turn_in_flight_as_it_is(self, agent):
        turn = TurnFactory(conversation=talk(agent))
        before = Turn.objects.filter(pk=turn.pk).values().get()

        archiving.close_archived(archive_id=archive(agent).archive_id)

        assert Turn.objects.filter(pk=turn.pk).values().get() == before

    def test_of_an_archive_that_does_not_exist_does_nothing(self, db):
        assert archiving.close_archived(archive_id="arc_none") == 0

    def test_lets_the_successor_open_a_talk_of_its_own(self, valkey, agent):
        customer = CustomerFactory(phone_number=agent.phone_number)
        old = ConversationFactory(agent=agent, customer=customer)
        left = archive(agent)
        type(agent).objects.filter(pk=agent.pk).update(phone_number=None)
        successor = AgentFactory(phone_number=agent.phone_number)
        InboundMessageFactory(customer=customer)

        turn = answering.claim(customer.phone_number_id)
        archiving.close_archived(archive_id=left.archive_id)

        new = Conversation.objects.get(pk=turn.conversation_id)
        assert (new.agent, new.is_active) == (successor, True)
        assert not is_active(old)


class TestUnfinishedArchives:
    def test_are_those_nobody_has_closed(self, agent):
        past = timezone.now() - timedelta(minutes=1)
        lost = archive(agent, archived_at=past)
        archive(agent, archived_at=past, closed_at=past)

        assert archiving.unfinished_archives() == [lost.archive_id]

        archiving.close_archived(archive_id=lost.archive_id)
        assert archiving.unfinished_archives() == []

    def test_are_given_time_for_their_own_ring(self, agent):
        archive(agent)

        assert archiving.unfinished_archives() == []


@pytest.mark.usefixtures("graph", "transactional_db", "valkey")
def test_moved_agent_answers_everybody_while_a_conversation_on_its_former_number_is_open():
    former = AgentFactory()
    known = talk(former, customer__wa_id="12025550123", customer_phone="12025550123").customer
    number = PhoneNumberFactory(user=former.user)
    relinking.relink(agent_id=former.pk, phone_number_id=number.pk)
    for wa_id in (known.wa_id, "12025550199"):
        InboundMessageFactory(customer__phone_number=number, customer__wa_id=wa_id)

    assert answering.drain(number.pk) == 2

    assert list(Turn.objects.values_list("state", flat=True)) == ["done", "done"]
    assert Conversation.objects.filter(agent=former, customer_phone=known.wa_id, is_active=True).count() == 2
