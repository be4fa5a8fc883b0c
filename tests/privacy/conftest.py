"""A person in every table, and an OpenAI to delete at."""

import pytest

from agents import openai_client
from tests.privacy import person


@pytest.fixture
def openai(simulator):
    openai_client.breaker.succeeded()
    simulator.behave(openai={"latency": 0})
    return simulator


@pytest.fixture
def filled(transactional_db, valkey, media_storage):
    return person.fill()
