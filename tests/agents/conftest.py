"""An OpenAI to ask."""

import time
from collections.abc import Iterator

import pytest

from agents import llm
from tests.agents.broken_server import BrokenServer


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
