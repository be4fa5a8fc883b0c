import time

import openai
import pytest

from tests.rig import wait_until

ASK = {"model": "m", "input": "Hello"}


class TestErrors:
    @pytest.mark.parametrize(
        ("step", "expected", "code"),
        [
            ({"status": 500}, openai.InternalServerError, None),
            ({"status": 503}, openai.InternalServerError, None),
            ({"status": 429}, openai.RateLimitError, "rate_limit_exceeded"),
            ({"status": 429, "code": "insufficient_quota"}, openai.RateLimitError, "insufficient_quota"),
            ({"status": 400, "code": "conversation_locked"}, openai.BadRequestError, "conversation_locked"),
            ({"status": 401}, openai.AuthenticationError, "invalid_api_key"),
            ({"status": 403}, openai.PermissionDeniedError, None),
            ({"status": 404}, openai.NotFoundError, None),
            ({"status": 409}, openai.ConflictError, None),
            ({"status": 422}, openai.UnprocessableEntityError, None),
        ],
    )
    def test_become_the_right_exceptions(self, simulator, client, step, expected, code):
        simulator.behave(openai={"script": [step]})

        with pytest.raises(expected) as caught:
            client.responses.create(**ASK)

        assert caught.value.code == code
        assert caught.value.request_id.startswith("req_")
        assert client.responses.create(**ASK).status == "completed"

    def test_say_when_to_retry(self, simulator, client):
        simulator.behave(openai={"errors": {"429": 1}, "retry_after": 2})

        with pytest.raises(openai.RateLimitError) as caught:
            client.responses.create(**ASK)

        assert caught.value.response.headers["retry-after"] == "2"

    def test_of_conversations_have_their_own_section(self, simulator, client):
        simulator.behave(conversations={"errors": {"500": 1}})

        with pytest.raises(openai.InternalServerError):
            client.conversations.create()

        assert client.responses.create(**ASK).status == "completed"


class TestSilence:
    def test_a_dropped_call_never_happened(self, simulator, client):
        conversation = client.conversations.create().id
        simulator.behave(openai={"script": [{"drop": True}]})

        with pytest.raises(openai.APIConnectionError) as caught:
            client.responses.create(**ASK, conversation=conversation)

        assert not isinstance(caught.value, openai.APITimeoutError)
        assert client.conversations.items.list(conversation).data == []
        (entry,) = simulator.journal(path="/v1/responses")
        assert (entry["status"], entry["note"]) == (None, "dropped")

    def test_a_lost_answer_leaves_its_turn_behind(self, simulator, client):
        conversation = client.conversations.create().id
        simulator.behave(openai={"script": [{"drop_after_accept": True}]})

        with pytest.raises(openai.APIConnectionError):
            client.responses.create(**ASK, conversation=conversation)

        assert len(client.conversations.items.list(conversation).data) == 2

    def test_a_hanging_call_ends_without_an_answer(self, simulator, client):
        simulator.behave(openai={"script": [{"hang": 0.4}, {"hang": 600}]})

        with pytest.raises(openai.APIConnectionError) as caught:
            client.responses.create(**ASK)
        with pytest.raises(openai.APITimeoutError):
            client.responses.create(**ASK, timeout=2)

        assert not isinstance(caught.value, openai.APITimeoutError)
        assert [entry["note"] for entry in simulator.journal(path="/v1/responses")] == ["hung", "hung"]


class TestScript:
    def test_is_used_up_in_order(self, simulator, client):
        simulator.behave(openai={"script": [{"text": "one"}, {"text": "two", "delay": 0.2}]})

        answers = [client.responses.create(**ASK).output_text for _ in range(3)]

        assert answers == ["one", "two", '[simulated reply] You wrote: "Hello"']

    def test_refuses_in_the_models_name(self, simulator, client):
        simulator.behave(openai={"script": [{"refusal": "I cannot."}]})

        response = client.responses.create(**ASK)

        assert response.output_text == ""
        assert response.output[0].content[0].refusal == "I cannot."

    def test_answers_with_json(self, simulator, client):
        simulator.behave(openai={"script": [{"json": {"name": "Ana"}}]})

        assert client.responses.create(**ASK).output_text == '{"name": "Ana"}'

    def test_ends_a_response_early(self, simulator, client):
        simulator.behave(
            openai={"script": [{"response_status": "incomplete"}, {"response_status": "failed"}]}
        )

        incomplete, failed = client.responses.create(**ASK), client.responses.create(**ASK)

        assert (incomplete.status, incomplete.incomplete_details.reason) == (
            "incomplete",
            "max_output_tokens",
        )
        assert (failed.status, failed.error.code, failed.output) == ("failed", "server_error", [])


class TestLatency:
    def test_is_kept(self, simulator, client):
        simulator.behave(openai={"latency": 0.4})
        started = time.monotonic()

        client.responses.create(**ASK)

        assert time.monotonic() - started >= 0.4

    def test_shows_in_the_journal_as_a_call_under_way(self, simulator, client):
        simulator.behave(openai={"latency": 6})

        with pytest.raises(openai.APITimeoutError):
            client.responses.create(**ASK, timeout=1)

        (entry,) = simulator.journal(path="/v1/responses")
        assert (entry["status"], entry["t_done"]) == (None, None)
        wait_until(lambda: simulator.journal(path="/v1/responses")[0]["status"] == 200)
