import threading
import time
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from pydantic import BaseModel

from agents import openai_client, structured
from config.lib.errors import RejectedError, UnavailableError


class Colour(BaseModel):
    name: str
    strength: int | None


GREEN = {"name": "green", "strength": 3}


def ask(**changes):
    return structured.ask(
        **{
            "arguments": {"model": "gpt-6-luna", "instructions": "Which colour?"},
            "items": [{"role": "user", "content": "The grass is green."}],
            "text_format": Colour,
            "safety_identifier": "hash",
            "deadline": time.monotonic() + 60,
            **changes,
        }
    )


@pytest.fixture
def scripted(model):
    def script(*steps):
        model.behave(openai={"latency": 0, "script": list(steps)})

    return script


class TestClient:
    def test_is_created_once_and_beside_the_event_loop(self, scripted, monkeypatch):
        """Its creation takes a tenth of a second, in which the loop would do nothing else."""
        create, threads = openai.DefaultAioHttpClient, []

        def note(**options) -> object:
            threads.append(threading.current_thread().name)
            return create(**options)

        monkeypatch.setattr(openai, "DefaultAioHttpClient", note)
        openai_client.client.cache_clear()
        scripted({"json": GREEN}, {"json": GREEN})

        with ThreadPoolExecutor(2) as pool:
            found = [asking.result() for asking in (pool.submit(ask), pool.submit(ask))]

        assert [each.answer for each in found] == [Colour(**GREEN)] * 2
        assert len(threads) == 1
        assert threads != ["event-loop"]


class TestAsk:
    def test_gives_what_the_model_filled_in(self, scripted):
        scripted({"json": GREEN})

        found = ask()

        assert found.answer == Colour(**GREEN)
        assert found.response_id.startswith("resp_")
        assert found.tokens_used > 0

    def test_is_kept_nowhere_and_belongs_to_no_conversation(self, scripted, model):
        scripted({"json": GREEN})

        ask()

        (sent,) = [entry["body"] for entry in model.requests(api="openai", path="/responses")]
        assert sent["store"] is False
        assert "conversation" not in sent
        assert sent["text"]["format"]["strict"] is True
        assert sent["text"]["format"]["schema"]["required"] == ["name", "strength"]
        assert sent["max_output_tokens"] >= 2000
        assert sent["safety_identifier"] == "hash"

    @pytest.mark.parametrize(
        "step",
        [
            {"text": "not json"},
            {"text": '{"name": "gre', "response_status": "incomplete"},
            {"text": '{"name": "green"}'},
            {"json": {"name": "green", "strength": "very"}},
            {"refusal": "I would rather not."},
            {"response_status": "failed"},
            {"status": 500},
            {"status": 429, "code": "rate_limit_exceeded"},
        ],
        ids=str,
    )
    def test_asks_again_where_nothing_can_be_made_of_it(self, scripted, model, step):
        scripted(step, {"json": GREEN})

        assert ask().answer == Colour(**GREEN)
        assert len(model.requests(api="openai", path="/responses")) == 2

    def test_gives_up_after_three_attempts(self, scripted, model):
        scripted(*[{"text": "not json"}] * 5)

        with pytest.raises(UnavailableError) as caught:
            ask()

        assert caught.value.code == "unreadable"
        assert len(model.requests(api="openai", path="/responses")) == 3

    def test_rubbish_does_not_keep_replies_from_being_asked_for(self, scripted):
        for _ in range(3):
            scripted(*[{"text": "not json"}] * 3)
            with pytest.raises(UnavailableError):
                ask()

        assert openai_client.breaker.allows()

    @pytest.mark.parametrize(
        "step", [{"status": 400}, {"status": 401}, {"status": 429, "code": "insufficient_quota"}]
    )
    def test_does_not_ask_again_where_it_was_refused(self, scripted, model, step):
        scripted(step, {"json": GREEN})

        with pytest.raises(RejectedError):
            ask()

        assert len(model.requests(api="openai", path="/responses")) == 1
