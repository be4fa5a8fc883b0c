"""What OpenAI is asked, and what it answers."""

import time

import pytest
import structlog

from agents import llm
from config.lib import event_loop
from config.lib.errors import UnavailableError


def respond(conversation: str, *texts: str, **changes) -> llm.Reply:
    usual = {
        "arguments": {"model": "gpt-test", "instructions": "Be kind."},
        "items": [{"role": "user", "content": text} for text in texts or ["Hello"]],
        "metadata": {"turn_id": "trn_1"},
        "safety_identifier": "hash-of-a-customer",
        "deadline": time.monotonic() + 60,
    }
    return event_loop.run(llm.respond(conversation_id=conversation, **{**usual, **changes}))


def asked(model) -> list[dict]:
    return model.requests(api="openai", path="/v1/responses")


class TestConversation:
    def test_is_opened_empty(self, model):
        opened = event_loop.run(
            llm.create_conversation(metadata={"conversation_id": "cnv_1"}, deadline=time.monotonic() + 60)
        )

        assert opened.startswith("conv_")
        [request] = model.requests(api="openai", path="/v1/conversations")
        assert request["body"] == {"metadata": {"conversation_id": "cnv_1"}}

    def test_that_is_unknown_is_told_apart(self, model):
        with pytest.raises(llm.ConversationLostError):
            respond("conv_unknown")

        assert len(asked(model)) == 1


class TestRequest:
    def test_carries_the_prompt_the_texts_and_the_limits(self, model, conversation, settings):
        respond(conversation, "Hello", "Anyone there?")

        [request] = asked(model)
        assert request["body"] == {
            "model": "gpt-test",
            "instructions": "Be kind.",
            "conversation": conversation,
            "input": [
                {"role": "user", "content": "Hello"},
                {"role": "user", "content": "Anyone there?"},
            ],
            "metadata": {"turn_id": "trn_1"},
            "safety_identifier": "hash-of-a-customer",
            "truncation": "auto",
            "max_output_tokens": settings.OPENAI_MAX_OUTPUT_TOKENS,
        }

    def test_carries_the_correlation_id(self, model, conversation):
        with structlog.contextvars.bound_contextvars(correlation_id="trace-1"):
            respond(conversation)

        [request] = asked(model)
        assert request["headers"]["x-correlation-id"] == "trace-1"

    def test_lets_the_prompt_say_how_long_an_answer_may_be(self, model, conversation):
        respond(conversation, arguments={"model": "gpt-test", "max_output_tokens": 64})

        [request] = asked(model)
        assert request["body"]["max_output_tokens"] == 64

    def test_may_name_a_prompt_of_openai(self, model, conversation):
        respond(conversation, arguments={"prompt": {"id": "pmpt_1"}})

        [request] = asked(model)
        assert request["body"]["prompt"] == {"id": "pmpt_1"}
        assert "model" not in request["body"]


class TestReply:
    def test_holds_the_text_its_id_and_what_it_took(self, model, conversation):
        reply = respond(conversation, "Hello", "Anyone there?")

        [request] = asked(model)
        assert reply.text == '[simulated reply] You wrote: "Hello / Anyone there?"'
        assert reply.response_id == request["response_id"]
        assert reply.tokens_used > 0

    def test_has_no_space_around_it(self, model, conversation):
        model.behave(openai={"script": [{"text": "\n Hi. \n"}]})

        assert respond(conversation).text == "Hi."

    def test_that_was_cut_short_is_used(self, model, conversation):
        model.behave(openai={"script": [{"text": "Hi, I", "response_status": "incomplete"}]})

        assert respond(conversation).text == "Hi, I"

    @pytest.mark.parametrize(
        ("step", "code"),
        [
            ({"text": ""}, "empty_output"),
            ({"text": " \n"}, "empty_output"),
            ({"refusal": "I cannot."}, "refusal"),
            ({"text": "Hi", "response_status": "incomplete", "reason": "content_filter"}, "content_filter"),
        ],
        ids=str,
    )
    def test_that_cannot_be_sent_is_none(self, model, conversation, step, code):
        model.behave(openai={"script": [step]})

        with pytest.raises(llm.UnusableError) as caught:
            respond(conversation)

        assert caught.value.code == code
        assert len(asked(model)) == 1

    def test_may_be_a_call_of_a_tool(self, model, conversation):
        model.behave(openai={"script": [{"tool_call": {"name": "x", "arguments": {"a": 1}}}]})

        reply = respond(conversation, tools=[{"type": "function", "name": "x", "parameters": {}}])

        [call] = reply.calls
        assert (reply.text, call.name, call.arguments) == ("", "x", '{"a": 1}')
        assert asked(model)[0]["body"]["tools"] == [{"type": "function", "name": "x", "parameters": {}}]

    def test_that_failed_is_asked_for_again(self, model, conversation):
        model.behave(openai={"script": [{"response_status": "failed"}]})

        assert "Hello" in respond(conversation).text
        assert len(asked(model)) == 2

    def test_that_failed_each_time_is_none(self, model, conversation, settings):
        settings.OPENAI_MAX_RETRIES = 1
        model.behave(openai={"script": [{"response_status": "failed"}]})

        with pytest.raises(UnavailableError) as caught:
            respond(conversation)

        assert caught.value.code == "server_error"


class TestLongReply:
    @pytest.mark.parametrize(
        ("length", "ends_with"), [(llm.LONGEST_REPLY, "x"), (llm.LONGEST_REPLY + 1, "…")]
    )
    def test_reply_beyond_the_longest_is_cut(self, model, conversation, length, ends_with):
        model.behave(openai={"script": [{"text": "x" * length}]})

        reply = respond(conversation)

        assert (len(reply.text), reply.text[-1]) == (llm.LONGEST_REPLY, ends_with)
