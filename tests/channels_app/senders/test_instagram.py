import pytest
from structlog.testing import capture_logs

from channels_app import senders
from channels_app.senders import instagram
from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError
from config.lib import event_loop, outbound
from tests.channels_app.senders.local_server import always, reply, serving


def error(code, subcode=None, message="(#1) An unknown error occurred", **more):
    return {"error": {"code": code, "error_subcode": subcode, "message": message, **more}}


class TestSend:
    def test_gives_the_id_of_what_was_sent(self, simulator, outgoing, sends):
        mid = event_loop.run(instagram.send(outgoing(text="¡Hola!")))

        (sent,) = simulator.requests(api="graph")
        assert sent["provider_ids"] == [mid]
        assert sends() == [
            (
                "/v25.0/109876543210987/messages",
                {
                    "messaging_type": "RESPONSE",
                    "recipient": {"id": "8123456789012345"},
                    "message": {"text": "¡Hola!"},
                },
            )
        ]

    def test_is_sent_as_the_page(self, simulator, outgoing, sends):
        event_loop.run(instagram.send(outgoing(sender_id="555")))

        assert sends()[0][0] == "/v25.0/555/messages"

    def test_graph_instagram_com_is_told_no_messaging_type(self, outgoing, monkeypatch):
        with serving(always({"message_id": "mid.1"})) as server:
            real, asked = outbound.post_json, []

            def redirected(url, **more):
                asked.append(url)
                return real(server.url, **more)

            monkeypatch.setattr(outbound, "post_json", redirected)
            event_loop.run(instagram.send(outgoing(api_base_url="https://graph.instagram.com/v25.0")))

        assert asked == ["https://graph.instagram.com/v25.0/109876543210987/messages"]
        assert server.journal[0].json().keys() == {"recipient", "message"}

    def test_the_longest_part_fits(self, simulator, outgoing):
        for part in instagram.parts("Съешь ещё этих мягких французских булок. " * 100 + "😀" * 600):
            event_loop.run(instagram.send(outgoing(text=part)))

        assert {entry["status"] for entry in simulator.requests(api="graph")} == {200}

    def test_an_answer_without_an_id_leaves_the_outcome_open(self, outgoing):
        with serving(always({"recipient_id": "8123"})) as server, pytest.raises(OutcomeUnknownError):
            event_loop.run(instagram.send(outgoing(api_base_url=server.url)))

    def test_is_known_as_a_channel(self):
        assert senders.for_channel("instagram") is instagram


class TestErrors:
    @pytest.mark.parametrize(
        "code", ["10:2534022", "100:2534014", "200:2534041", "551", "613:2534040", "190"]
    )
    def test_a_refusal_is_not_delivered(self, simulator, outgoing, code):
        simulator.behave(graph={"script": [{"code": code}]})

        with pytest.raises(NotDeliveredError) as caught:
            event_loop.run(instagram.send(outgoing()))

        assert caught.value.code == code.partition(":")[0]

    @pytest.mark.parametrize("status", [200, 400, 500])
    @pytest.mark.parametrize(
        "answer",
        [
            error(1, 1357046),
            error(1, "1357046"),
            error(1, 99, "The message was sent, but something else failed."),
            error(1, None, "Unknown", error_user_msg="Your message has been sent."),
        ],
    )
    def test_an_error_although_it_was_sent_leaves_the_outcome_open(self, outgoing, answer, status):
        with serving(always(answer, status=status)) as server, pytest.raises(OutcomeUnknownError):
            event_loop.run(instagram.send(outgoing(api_base_url=server.url)))

    @pytest.mark.parametrize(
        "answer", [error(1, 99), error(1, 99, "It was not sent."), error(100, 1357046), error(1)]
    )
    def test_other_errors_do_not(self, outgoing, answer):
        with serving(always(answer, status=400)) as server, pytest.raises(NotDeliveredError):
            event_loop.run(instagram.send(outgoing(api_base_url=server.url)))

    def test_an_error_in_a_200_is_not_delivered(self, outgoing):
        with serving(always(error(100, 2018109, "too long"))) as server, pytest.raises(NotDeliveredError):
            event_loop.run(instagram.send(outgoing(api_base_url=server.url)))

    @pytest.mark.parametrize(
        ("code", "is_alarming"), [("10:2534022", False), ("10:1893063", True), ("190", True), ("551", False)]
    )
    def test_alarms_only_about_the_account(self, simulator, outgoing, code, is_alarming):
        simulator.behave(graph={"script": [{"code": code}]})

        with capture_logs() as logged, pytest.raises(NotDeliveredError):
            event_loop.run(instagram.send(outgoing()))

        assert [line["event"] for line in logged] == (["graph.account_refused"] if is_alarming else [])


class TestShowTyping:
    def test_shows_as_seen_and_types(self, simulator, seen, sends):
        event_loop.run(instagram.show_typing(seen(sender_id="555")))

        recipient = {"id": "8123456789012345"}
        assert sends() == [
            ("/v25.0/555/messages", {"recipient": recipient, "sender_action": "mark_seen"}),
            ("/v25.0/555/messages", {"recipient": recipient, "sender_action": "typing_on"}),
        ]

    def test_stops_at_a_failure(self, seen):
        with serving(lambda handler: reply(handler, error(10), status=403)) as server:
            event_loop.run(instagram.show_typing(seen(api_base_url=server.url)))

        assert len(server.journal) == 1
