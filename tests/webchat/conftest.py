import pytest

from agents import openai_client
from tests.webchat.browser_calls import Browser, web_chat


@pytest.fixture
def chat(db, valkey, media_storage):
    """A web chat with an agent that has credits, allowed on one shop's pages."""
    return web_chat()


@pytest.fixture
def browser(chat):
    """A visitor's browser, with a session."""
    return Browser(chat).begin()


@pytest.fixture
def model(simulator, settings):
    """The simulator as a model that answers at once."""
    settings.REPLY_DEBOUNCE = settings.REPLY_DEBOUNCE_MAX = 0
    openai_client.breaker.succeeded()
    simulator.behave(openai={"latency": 0})
    return simulator
