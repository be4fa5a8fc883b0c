"""An OpenAI to ask."""

import time
from collections.abc import Iterator

import pytest

from agents import llm, openai_client
from config.lib import event_loop
from tests.agents.broken_server import BrokenServer


@pytest.fixture
def model(simulator):
    """The simulator as a model that answers at once."""
    openai_client.breaker.succeeded()
    simulator.behave(openai={"latency": 0})
    return simulator


@pytest.fixture
def conversation(model) -> str:
    return event_loop.run(llm.create_conversation(metadata={}, deadline=time.monotonic() + 60))


@pytest.fixture
def broken_server(settings) -> Iterator[BrokenServer]:
    """A server in OpenAI's place that answers what a test tells it to."""
    openai_client.breaker.succeeded()
    with BrokenServer() as server:
        settings.OPENAI_BASE_URL = f"{server.url}/v1"
        openai_client.client.cache_clear()
        yield server
    openai_client.client.cache_clear()
