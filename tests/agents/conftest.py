"""Sets Django up before the tests of this folder are imported, and gives them an OpenAI to ask."""

import time
from collections.abc import Iterator

import django
import pytest

django.setup()

from agents import llm  # noqa: E402  (its settings must be there)
from tests.agents.broken_server import BrokenServer  # noqa: E402


@pytest.fixture
def model(simulator):
    """The simulator as a model that answers at once."""
    simulator.behave(openai={"latency": 0})
    return simulator


@pytest.fixture
def conversation(model) -> str:
    return llm.create_conversation(items=[], metadata={}, deadline=time.monotonic() + 10)


@pytest.fixture
def broken_server(settings) -> Iterator[BrokenServer]:
    """A server in OpenAI's place that answers what a test tells it to."""
    with BrokenServer() as server:
        settings.OPENAI_BASE_URL = f"{server.url}/v1"
        llm._client.cache_clear()
        yield server
    llm._client.cache_clear()
