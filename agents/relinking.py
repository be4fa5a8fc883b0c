"""Moves agents between phone numbers, which ends the talks of whoever answered there before."""

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from agents import routing
from agents.models import Agent, ConversationArchive
from billing import audit
from billing.audit import Action
from channels_app.models import PhoneNumber
from config.lib import jobs, locks, tenancy
from config.lib.jobs import Job
from config.lib.locks import Lock


class NotFoundError(Exception):
    """There is no such live agent, or its user has no such live number."""


class NumberTakenError(Exception):
    """Another agent answers on the number; `agent_id` says which."""

    def __init__(self, agent_id: str) -> None:
        super().__init__(f"agent {agent_id} answers on this number")
        self.agent_id = agent_id


class AlreadyThereError(Exception):
    """The agent answers on this number as it is."""


@transaction.atomic
def relink(*, agent_id: str, phone_number_id: str, replace: bool = False) -> ConversationArchive:
    """
    Move an agent to another number of its business, from the next turn on.

    With `replace` an agent that answers there stays without a number. Talks on the numbers that are left end
    soon after; a turn in flight ends under what it was claimed with.

    :raises NotFoundError: if there is no such agent or number, or they belong to different users
    :raises NumberTakenError: if another agent answers on the number and is not to be replaced
    :raises AlreadyThereError: if the agent answers on this number already
    """
    agent, present = locked(agent_id, phone_number_id)
    left = agent.phone_number_id
    if left == phone_number_id:
        raise AlreadyThereError(f"agent {agent_id} answers on this number already")
    if present and not replace:
        raise NumberTakenError(present.agent_id)
    numbers = [number for number in (phone_number_id, left) if number]
    # Claims stand still from here to the commit: a talk is older than the archive, or the new agent's.
    locks.take(Lock.CLAIM, *numbers)
    if present:
        Agent.objects.filter(pk=present.pk).update(phone_number=None)
        _record_move(present, None)
    Agent.objects.filter(pk=agent.pk).update(phone_number_id=phone_number_id)
    _record_move(agent, phone_number_id)
    for number in numbers:
        routing.drop(user_id=agent.user_id, phone_number_id=number)
    if left:
        _archive(left, old=agent, new=None)
    return _archive(phone_number_id, old=present, new=agent)


@transaction.atomic
def unlink(*, agent_id: str) -> ConversationArchive | None:
    """
    Take an agent off its number, on which nobody answers then; None where it had no number.

    :raises NotFoundError: if there is no such live agent
    """
    agent = Agent.objects.live().select_for_update(no_key=True).filter(pk=agent_id).first()
    if agent is None:
        raise NotFoundError(f"there is no agent {agent_id}")
    left = leave(agent)
    if left is not None:
        _record_move(agent, None)
    Agent.objects.filter(pk=agent_id).update(phone_number=None)
    return left


def leave(agent: Agent) -> ConversationArchive | None:
    """End the talks on the number of an agent whose row is locked; what becomes of it is the caller's."""
    if agent.phone_number_id is None:
        return None
    locks.take(Lock.CLAIM, agent.phone_number_id)
    routing.drop(user_id=agent.user_id, phone_number_id=agent.phone_number_id)
    return _archive(agent.phone_number_id, old=agent, new=None)


def locked(agent_id: str, phone_number_id: str) -> tuple[Agent, Agent | None]:
    """
    Lock the number, then the agent and whoever answers there; the order is the same for everybody.

    :raises NotFoundError: if there is no such agent or number, or they belong to different users
    """
    live = PhoneNumber.objects.live().filter(tenancy.permitted("phone_number_id"))
    number = live.select_for_update(no_key=True).filter(pk=phone_number_id).first()
    agents = {
        agent.agent_id: agent
        for agent in Agent.objects.live()
        .select_for_update(no_key=True)
        .filter(Q(pk=agent_id) | Q(phone_number_id=phone_number_id))
        .order_by("pk")
    }
    agent = agents.pop(agent_id, None)
    if number is None or agent is None or agent.user_id != number.user_id:
        raise NotFoundError("there is no such agent, or its user has no such number")
    return agent, next(iter(agents.values()), None)


def _record_move(agent: Agent, phone_number_id: str | None) -> None:
    audit.record_update(
        Action.AGENT_RELINKED,
        agent.pk,
        user_id=agent.user_id,
        before={"phone_number_id": agent.phone_number_id},
        after={"phone_number_id": phone_number_id},
    )


def _archive(number: str, *, old: Agent | None, new: Agent | None) -> ConversationArchive:
    """Note the move; where somebody answered before, ring for their talks to be closed."""
    archive = ConversationArchive.objects.create(
        old_agent=old, new_agent=new, phone_number_id=number, closed_at=None if old else Now()
    )
    archive.refresh_from_db()
    if old:
        jobs.ring(Job.CLOSE_CONVERSATIONS, archive_id=archive.archive_id)
    return archive
