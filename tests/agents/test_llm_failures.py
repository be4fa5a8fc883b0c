"""What is tried again, how often, and what is not."""

import time

import pytest

from agents import llm
from config.lib import event_loop
from config.lib.errors import ForeignError, RejectedError, UnavailableError
from tests.agents.test_llm import asked, respond


class TestRetry:
    @pytest.mark.parametrize(
        "step",
        [
            {"status": 500},
            {"status": 503},
            {"status": 429},
            {"status": 408},
            {"status": 409},
            {"status": 400, "code": "conversation_locked"},
        ],
        ids=str,
    )
    def test_follows_what_passes_by_itself(self, model, conversation, step):
        model.behave(openai={"script": [{**step, "retry_after": 0}] * 2})

        reply = respond(conversation)

        assert "Hello" in reply.text
        assert len(asked(model)) == 3

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_ends_after_so_many_calls(self, model, conversation, settings, most):
        settings.OPENAI_MAX_RETRIES = most
        model.behave(openai={"errors": {"500": 1}, "retry_after": 0})

        with pytest.raises(UnavailableError):
            respond(conversation)

        assert len(asked(model)) == most

    @pytest.mark.parametrize(
        "step",
        [
            {"status": 400},
            {"status": 401},
            {"status": 403},
            {"status": 422},
            {"status": 429, "code": "insufficient_quota"},
            {"status": 429, "code": "billing_hard_limit_reached"},
            {"status": 404, "code": "model_not_found"},
            {"status": 400, "code": "context_length_exceeded"},
        ],
        ids=str,
    )
    def test_does_not_follow_a_refusal(self, model, conversation, step):
        model.behave(openai={"script": [{**step, "retry_after": 0}]})

        with pytest.raises(RejectedError) as caught:
            respond(conversation)

        assert not isinstance(caught.value, llm.ConversationLostError)
        assert caught.value.request_id.startswith("req_")
        assert len(asked(model)) == 1

    @pytest.mark.parametrize(
        "step", [{"status": 401}, {"status": 403}, {"status": 429, "code": "insufficient_quota"}], ids=str
    )
    def test_of_a_refused_account_raises_an_alarm_instead(self, model, conversation, caplog, step):
        model.behave(openai={"script": [step]})

        with pytest.raises(RejectedError):
            respond(conversation)

        assert "llm.account_refused" in caplog.text

    def test_of_opening_a_conversation_is_the_same(self, model):
        model.behave(conversations={"errors": {"500": 1}, "retry_after": 0})

        with pytest.raises(UnavailableError):
            event_loop.run(llm.create_conversation(metadata={}, deadline=time.monotonic() + 60))

        assert len(model.requests(api="openai", path="/v1/conversations")) == 3


class TestPause:
    def test_is_as_long_as_asked(self, model, conversation):
        model.behave(openai={"script": [{"status": 429, "retry_after": 0.4}]})

        respond(conversation)

        first, second = asked(model)
        assert second["t"] - first["t_done"] >= 0.4

    def test_grows_when_nothing_is_asked(self, model, conversation):
        model.behave(openai={"script": [{"status": 500}, {"status": 500}]})

        respond(conversation)

        first, second, third = asked(model)
        assert second["t"] - first["t_done"] >= 0.5
        assert third["t"] - second["t_done"] >= 1

    def test_that_would_pass_the_deadline_is_not_made(self, model, conversation):
        model.behave(openai={"script": [{"status": 429, "retry_after": 3600}]})

        with pytest.raises(UnavailableError) as caught:
            respond(conversation)

        assert caught.value.code == "rate_limit_exceeded"
        assert caught.value.retry_after == 3600
        assert len(asked(model)) == 1


class TestDeadline:
    def test_that_has_passed_leaves_no_time_to_ask(self, model, conversation):
        with pytest.raises(UnavailableError):
            respond(conversation, deadline=time.monotonic() - 1)

        assert asked(model) == []

    def test_ends_a_call_that_hangs(self, model, conversation):
        model.behave(openai={"script": [{"hang": 300}]})

        with pytest.raises(UnavailableError):
            respond(conversation, deadline=time.monotonic() + 3)

        assert len(asked(model)) == 1


class TestConnection:
    def test_that_drops_is_tried_again(self, model, conversation):
        model.behave(openai={"script": [{"drop": True}]})

        assert "Hello" in respond(conversation).text
        assert len(asked(model)) == 2

    @pytest.mark.parametrize("step", [{"drop": True}, {"drop_after_accept": True}])
    def test_that_drops_each_time_is_unavailable(self, model, conversation, settings, step):
        settings.OPENAI_MAX_RETRIES = 1
        model.behave(openai={"script": [step]})

        with pytest.raises(UnavailableError):
            respond(conversation)

    @pytest.mark.parametrize(
        "answer",
        [
            {"body": b'{"id": "resp_1"', "length": 500},
            {"body": b"<html>Bad Gateway</html>", "status": 502, "content_type": "text/html"},
            {"body": b"<html>Hello</html>", "content_type": "text/html"},
            {"body": b"", "status": 500},
            {"body": b'{"id": "resp_1", "output": ['},
            {"body": b"{}"},
            {"body": b"[]"},
            {"body": b'{"status": "completed"}'},
        ],
        ids=str,
    )
    def test_that_brings_rubbish_is_unavailable(self, broken_server, settings, answer):
        settings.OPENAI_MAX_RETRIES = 1
        broken_server.answer(**answer)

        with pytest.raises(UnavailableError):
            respond("conv_1")
        with pytest.raises(UnavailableError):
            event_loop.run(llm.create_conversation(metadata={}, deadline=time.monotonic() + 60))

        assert broken_server.calls == 2


class TestError:
    @pytest.mark.parametrize("step", [{"status": 400, "message": "my secret"}, {"status": 401}], ids=str)
    def test_says_neither_what_was_said_nor_the_key(self, model, conversation, caplog, settings, step):
        model.behave(openai={"script": [step]})

        with pytest.raises(ForeignError) as caught:
            respond(conversation, "my secret")

        said = repr(caught.value) + repr(caught.value.__dict__) + caplog.text
        assert "my secret" not in said
        assert settings.OPENAI_API_KEY not in said
