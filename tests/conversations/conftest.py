"""Vendors that answer at once."""

import pytest

from agents import openai_client


@pytest.fixture
def graph(simulator, settings):
    """The simulator as a channel that takes everything at once and tells no statuses by itself."""
    settings.TYPING_INDICATOR = False
    openai_client.breaker.succeeded()
    simulator.behave(statuses=False, graph={"latency": 0}, openai={"latency": 0})
    return simulator
