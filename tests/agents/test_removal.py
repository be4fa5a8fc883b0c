"""A number is deleted, in one piece, and nothing in flight is harmed."""

import pytest

from agents import lifecycle, relinking, removal, routing
from agents.models import Agent, ConversationArchive
from channels_app import number_secrets, numbers
from channels_app.models import InboundMessage, PhoneNumber
from channels_app.numbers import NumberNotFoundError
from conversations import archiving
from conversations.models import Conversation, Turn
from tests.conversations import answering
from tests.factories import (
    AgentFactory,
    ConversationFactory,
    InboundMessageFactory,
    PhoneNumberFactory,
    TurnFactory,
)
from tests.racing import at_once


@pytest.fixture
def agent(db) -> Agent:
    return AgentFactory()


def row(agent) -> PhoneNumber:
    return PhoneNumber.objects.get(pk=agent.phone_number_id)


def archives(agent) -> list[tuple[str | None, str | None]]:
    left = ConversationArchive.objects.filter(phone_number_id=agent.phone_number_id)
    return list(left.values_list("old_agent_id", "new_agent_id"))


class TestRemove:
    def test_hides_the_number_and_leaves_its_agent_without_one(
        self, valkey, agent, django_capture_on_commit_callbacks
    ):
        routing.get(agent.phone_number_id)

        with django_capture_on_commit_callbacks(execute=True):
            removal.remove(phone_number_id=agent.phone_number_id)

        assert row(agent).deleted_at is not None
        assert Agent.objects.live().get().phone_number is None
        assert routing.get(agent.phone_number_id) is None
        assert archives(agent) == [(agent.agent_id, None)]

    def test_ends_its_talks(self, valkey, agent):
        talk = ConversationFactory(customer__phone_number=agent.phone_number, agent=agent)

        removal.remove(phone_number_id=agent.phone_number_id)
        archiving.close_archived(archive_id=ConversationArchive.objects.get().archive_id)

        assert not Conversation.objects.get(pk=talk.pk).is_active

    def test_wipes_the_token_at_once_where_nothing_is_in_flight(self, valkey, agent):
        removal.remove(phone_number_id=agent.phone_number_id)

        assert row(agent).access_token == ""

    def test_leaves_the_token_to_a_turn_in_flight(self, valkey, agent):
        turn = TurnFactory(conversation__customer__phone_number=agent.phone_number, conversation__agent=agent)

        removal.remove(phone_number_id=agent.phone_number_id)
        meanwhile = row(agent).get_access_token()
        Turn.objects.filter(pk=turn.pk).update(state="done", closed_at=turn.deadline_at)
        number_secrets.wipe()

        assert meanwhile == "graph-token"
        assert row(agent).access_token == ""

    def test_of_a_number_on_which_nobody_answers_archives_nothing(self, valkey, db):
        number = PhoneNumberFactory()

        removal.remove(phone_number_id=number.phone_number_id)

        assert not PhoneNumber.objects.live().exists()
        assert not ConversationArchive.objects.exists()

    def test_again_does_nothing(self, valkey, agent):
        removal.remove(phone_number_id=agent.phone_number_id)
        deleted_at = row(agent).deleted_at

        removal.remove(phone_number_id=agent.phone_number_id)

        assert row(agent).deleted_at == deleted_at
        assert len(archives(agent)) == 1

    def test_of_what_never_was_is_refused(self, db):
        with pytest.raises(NumberNotFoundError):
            removal.remove(phone_number_id="1")


class TestWhatIsWrittenToADeletedNumber:
    def test_waits_as_for_a_number_nobody_registered(self, valkey, agent):
        removal.remove(phone_number_id=agent.phone_number_id)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        assert answering.claim(agent.phone_number_id) is None
        assert InboundMessage.objects.get().status == "pending"

    def test_is_not_answered_when_the_number_is_registered_again(self, valkey, agent):
        removal.remove(phone_number_id=agent.phone_number_id)
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        numbers.register(
            user_id=agent.user_id, phone_number_id=agent.phone_number_id, type="whatsapp",
            external_number="+1", access_token="new",
        )  # fmt: skip
        relinking.relink(agent_id=agent.agent_id, phone_number_id=agent.phone_number_id)
        claimed = answering.claim(agent.phone_number_id)

        assert claimed is None
        assert InboundMessage.objects.get().status == "ignored"


class TestAtOnce:
    def test_with_a_claim_leaves_it_the_token_or_nothing_to_claim(self, valkey, transactional_db):
        agent = AgentFactory()
        InboundMessageFactory(customer__phone_number=agent.phone_number)

        ended = at_once(
            lambda: removal.remove(phone_number_id=agent.phone_number_id),
            lambda: answering.claim(agent.phone_number_id),
        )

        assert ended == ["done", "done"]
        assert bool(row(agent).access_token) is Turn.objects.exists()

    def test_with_whoever_moves_to_the_number_leaves_nobody_there(self, valkey, transactional_db):
        agent = AgentFactory()
        other = AgentFactory(phone_number=PhoneNumberFactory(user=agent.user))
        new = {"user_id": agent.user_id, "prompt_id": agent.prompt_id, "name": "New"}

        ended = at_once(
            lambda: removal.remove(phone_number_id=agent.phone_number_id),
            lambda: relinking.relink(
                agent_id=other.agent_id, phone_number_id=agent.phone_number_id, replace=True
            ),
            lambda: lifecycle.create(phone_number_id=agent.phone_number_id, **new),
            lambda: lifecycle.delete(agent_id=agent.agent_id),
        )

        assert ended[0] == ended[3] == "done"
        assert ended[1] in {"done", "NotFoundError"}
        assert ended[2] in {"done", "NotFoundError", "NumberTakenError"}
        assert not Agent.objects.live().filter(phone_number_id=agent.phone_number_id).exists()

    def test_several_times_happens_once(self, valkey, transactional_db):
        agent = AgentFactory()

        ended = at_once(*[lambda: removal.remove(phone_number_id=agent.phone_number_id)] * 4)

        assert ended == ["done"] * 4
        assert archives(agent) == [(agent.agent_id, None)]
