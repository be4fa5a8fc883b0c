"""Who answers on a number: a cached hint, dropped on every change; the claim looks again under its lock."""

from functools import lru_cache
from typing import TypedDict

from agents.models import Agent
from channels_app.models import PhoneNumber
from config.lib import cache


class Entry(TypedDict):
    """The live agent of a number."""

    user_id: str
    agent_id: str
    prompt_id: str


def get(phone_number_id: str) -> Entry | None:
    """Return the agent that answers on a number; None if there is none."""
    try:
        user_id = _owner(phone_number_id)
    except PhoneNumber.DoesNotExist:
        return None
    return cache.get_or_read(_key(user_id, phone_number_id), lambda: _read(user_id, phone_number_id))


def drop(*, user_id: str, phone_number_id: str) -> None:
    """Forget who answers on a number once the transaction commits."""
    cache.drop(_key(user_id, phone_number_id))


def _key(user_id: str, phone_number_id: str) -> str:
    return f"user:{user_id}:phone:{phone_number_id}"


@lru_cache(maxsize=10_000)
def _owner(phone_number_id: str) -> str:
    """Ask once a process: a number never changes hands."""
    return PhoneNumber.objects.values_list("user_id", flat=True).get(pk=phone_number_id)


def _read(user_id: str, phone_number_id: str) -> Entry | None:
    agent = (
        Agent.objects.live().filter(phone_number_id=phone_number_id, phone_number__deleted_at=None).first()
    )
    if agent is None:
        return None
    return Entry(user_id=user_id, agent_id=agent.agent_id, prompt_id=agent.prompt_id)
