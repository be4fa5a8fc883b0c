import threading

import openai
import pytest
import requests
from pydantic import BaseModel

from tests.rig import wait_until

AGENT = {"model": "gpt-6-luna", "instructions": "Be brief."}
KEY = {"Authorization": "Bearer sk-test"}


class TestResponse:
    def test_quotes_what_was_asked(self, client):
        response = client.responses.create(**AGENT, input="Hello")

        assert response.output_text == '[simulated reply] You wrote: "Hello"'
        assert response.id.startswith("resp_")
        assert response.status == "completed"
        assert response.model == "gpt-6-luna"
        assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
        assert response._request_id.startswith("req_")

    def test_quotes_every_user_message_in_order(self, client):
        conversation = client.conversations.create()
        items = [{"role": "user", "content": text} for text in ("uno", "dos", "tres \U0001f60d")]

        response = client.responses.create(
            prompt={"id": "pmpt_1", "version": "2"}, conversation=conversation.id, input=items
        )

        assert response.output_text == '[simulated reply] You wrote: "uno / dos / tres \U0001f60d"'
        assert response.conversation.id == conversation.id
        assert response.prompt.id == "pmpt_1"

    def test_shows_a_picture_as_a_placeholder(self, client):
        picture = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"}
        content = [{"type": "input_text", "text": "What is this?"}, picture]

        response = client.responses.create(**AGENT, input=[{"role": "user", "content": content}])

        assert response.output_text == '[simulated reply] You wrote: "What is this? [picture]"'

    def test_adds_input_and_output_to_the_conversation(self, client):
        conversation = client.conversations.create(metadata={"customer": "1"})

        response = client.responses.create(**AGENT, conversation={"id": conversation.id}, input="Hello")

        items = client.conversations.items.list(conversation.id, order="asc").data
        assert [item.role for item in items] == ["user", "assistant"]
        assert items[0].content[0].text == "Hello"
        assert items[1].id == response.output[0].id

    def test_fills_a_schema(self, client):
        class Lead(BaseModel):
            name: str | None
            urgency: int

        response = client.responses.parse(
            model="gpt-6-luna", input="Transcript", text_format=Lead, store=False
        )

        assert response.output_parsed == Lead(name=None, urgency=0)

    def test_is_kept_unless_told_otherwise(self, client):
        kept = client.responses.create(**AGENT, input="Hello")
        not_kept = client.responses.create(**AGENT, input="Hello", store=False)

        assert client.responses.retrieve(kept.id).id == kept.id
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(not_kept.id)


class TestRefusals:
    @pytest.mark.parametrize(
        ("payload", "code", "param"),
        [
            ({"input": "x"}, "missing_required_parameter", "model"),
            ({**AGENT}, "missing_required_parameter", "input"),
            ({**AGENT, "input": "x", "inputs": 1}, "unknown_parameter", "inputs"),
            ({**AGENT, "input": 5}, "invalid_type", "input"),
            ({**AGENT, "input": [{"role": "boss", "content": "x"}]}, "invalid_value", "input[0].role"),
            ({**AGENT, "input": [{"type": {}, "role": "user"}]}, "invalid_value", "input[0].type"),
            ({**AGENT, "input": "x", "truncation": []}, "invalid_value", "truncation"),
            ({**AGENT, "input": "x", "max_output_tokens": 1}, "integer_below_min_value", "max_output_tokens"),
            ({**AGENT, "input": "x", "safety_identifier": "x" * 129}, "string_above_max_length", None),
            ({**AGENT, "input": "x", "previous_response_id": "resp_0"}, "previous_response_not_found", None),
            (
                {**AGENT, "input": "x", "previous_response_id": "resp_0", "conversation": "conv_0"},
                "mutually_exclusive_parameters",
                None,
            ),
        ],
    )
    def test_have_openais_shape(self, simulator, payload, code, param):
        answer = requests.post(f"{simulator.url}/v1/responses", json=payload, headers=KEY, timeout=60)

        error = answer.json()["error"]
        assert answer.status_code == 400
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        assert param is None or error["param"] == param
        assert answer.headers["x-request-id"].startswith("req_")

    def test_need_a_token(self, simulator):
        answer = requests.post(f"{simulator.url}/v1/responses", json={**AGENT, "input": "x"}, timeout=60)

        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "invalid_request_error"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
    def test_of_what_is_no_json_object(self, simulator, body):
        answer = requests.post(f"{simulator.url}/v1/responses", data=body, headers=KEY, timeout=60)

        assert answer.status_code == 400
        assert "could not parse the JSON body" in answer.json()["error"]["message"]

    def test_of_an_unknown_conversation(self, client):
        with pytest.raises(openai.NotFoundError) as caught:
            client.responses.create(**AGENT, conversation="conv_0", input="x")

        assert caught.value.message.endswith("Conversation with id 'conv_0' not found.")

    def test_of_an_unknown_path(self, client):
        with pytest.raises(openai.NotFoundError, match="Invalid URL"):
            client.batches.list()


class TestConversationLock:
    def test_refuses_a_second_response_at_once(self, simulator, client):
        simulator.behave(openai={"script": [{"delay": 5}]})
        conversation = client.conversations.create().id
        first = threading.Thread(
            target=client.responses.create, kwargs={**AGENT, "conversation": conversation, "input": "one"}
        )
        first.start()
        wait_until(lambda: simulator.journal(contains=conversation))

        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(**AGENT, conversation=conversation, input="two")

        first.join()
        assert caught.value.body == {
            "message": (
                "Another process is currently operating on this conversation. Please retry in a few seconds."
            ),
            "type": "invalid_request_error",
            "param": "conversation",
            "code": "conversation_locked",
        }
        assert client.responses.create(**AGENT, conversation=conversation, input="two").status == "completed"

    def test_outlives_a_caller_who_hangs_up(self, simulator, client):
        simulator.behave(openai={"latency": 6})
        conversation = client.conversations.create().id

        with pytest.raises(openai.APITimeoutError):
            client.responses.create(**AGENT, conversation=conversation, input="one", timeout=1)
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(**AGENT, conversation=conversation, input="two")

        assert caught.value.code == "conversation_locked"
        assert client.conversations.items.list(conversation).data == []
        wait_until(lambda: len(client.conversations.items.list(conversation).data) == 2)

    def test_leaves_other_conversations_alone(self, simulator, client):
        simulator.behave(openai={"latency": 5})
        conversations = [client.conversations.create().id for _ in range(5)]
        threads = [
            threading.Thread(
                target=client.responses.create, kwargs={**AGENT, "conversation": each, "input": "x"}
            )
            for each in conversations
        ]

        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        calls = simulator.journal(path="/v1/responses")
        assert len(calls) == 5
        assert max(call["t"] for call in calls) < min(call["t_done"] for call in calls)


class TestToolCalls:
    def test_must_be_answered_before_anything_else(self, simulator, client):
        conversation = client.conversations.create().id
        step = {"tool_call": {"name": "hand_over", "arguments": {"reason": "angry"}}}
        simulator.behave(openai={"script": [step]})

        call = client.responses.create(**AGENT, conversation=conversation, input="A human!").output[0]
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(**AGENT, conversation=conversation, input="Hello?")
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "done"}
        answered = client.responses.create(**AGENT, conversation=conversation, input=[output])

        assert (call.name, call.arguments) == ("hand_over", '{"reason": "angry"}')
        assert caught.value.body == {
            "message": f"No tool output found for function call {call.call_id}.",
            "type": "invalid_request_error",
            "param": "input",
            "code": None,
        }
        assert answered.output_text == '[simulated reply] The tool answered: "done"'
        assert client.responses.create(**AGENT, conversation=conversation, input="Thanks").output_text

    def test_outputs_need_a_call(self, client):
        output = {"type": "function_call_output", "call_id": "call_0", "output": "done"}

        with pytest.raises(openai.BadRequestError, match="No tool call found for function call output"):
            client.responses.create(**AGENT, input=[output])


class TestTranscription:
    def test_is_plainly_marked(self, client):
        heard = client.audio.transcriptions.create(
            file=("v.ogg", b"OggS", "audio/ogg"), model="gpt-transcribe"
        )

        assert heard.text == "[simulated transcript]"


class TestDashboardPrompts:
    def test_are_refused_once_they_have_ended(self, client, simulator):
        simulator.behave(dashboard_prompts=False)

        with pytest.raises(openai.NotFoundError) as refused:
            client.responses.create(prompt={"id": "pmpt_1"}, input="Hello")

        assert (refused.value.code, refused.value.param) == ("prompt_not_found", "prompt.id")
        assert client.responses.create(**AGENT, input="Hello").output_text


class TestModels:
    def test_are_listed_with_their_shutdown_dates(self, client, simulator):
        simulator.behave(models={"gpt-old": "2026-12-11", "gpt-new": None})

        models = client.models.list().data

        assert [(model.id, model.shutdown_date) for model in models] == [
            ("gpt-old", "2026-12-11"), ("gpt-new", None),
        ]  # fmt: skip

    def test_are_refused_in_a_shape_that_makes_no_sense(self, simulator):
        for models in ([], {"gpt-old": "soon"}, {"gpt-old": 5}):
            with pytest.raises(AssertionError, match="models must be"):
                simulator.behave(models=models)
