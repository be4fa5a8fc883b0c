import pytest

from channels_app.senders import whatsapp
from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError
from config.lib import event_loop
from tests.channels_app.senders.local_server import always, serving


class TestSend:
    def test_gives_the_id_of_what_was_sent(self, simulator, outgoing, sends):
        wamid = event_loop.run(whatsapp.send(outgoing(text="¡Hola!")))

        (sent,) = simulator.requests(api="graph")
        assert wamid.startswith("wamid.")
        assert sent["provider_ids"] == [wamid]
        assert sends() == [
            (
                "/v25.0/109876543210987/messages",
                {
                    "messaging_product": "whatsapp",
                    "recipient_type": "individual",
                    "to": "+12025550143",
                    "type": "text",
                    "text": {"preview_url": False, "body": "¡Hola!"},
                    "biz_opaque_callback_data": "dlv_1",
                },
            )
        ]

    def test_reaches_a_customer_without_a_phone_number(self, simulator, outgoing, sends):
        event_loop.run(whatsapp.send(outgoing(wa_id=None, bsuid="US.1349")))

        body = sends()[0][1]
        assert (body["recipient"], "to" in body) == ("US.1349", False)

    def test_quotes_a_message(self, simulator, outgoing, sends):
        event_loop.run(whatsapp.send(outgoing(reply_to="wamid.quoted")))

        assert sends()[0][1]["context"] == {"message_id": "wamid.quoted"}

    def test_goes_to_the_numbers_own_host_as_its_own_sender(self, simulator, outgoing, sends):
        with serving(always({"messages": [{"id": "wamid.y"}]})) as server:
            wamid = event_loop.run(
                whatsapp.send(outgoing(api_base_url=f"{server.url}/v9.0/", sender_id="77"))
            )

        assert wamid == "wamid.y"
        assert server.journal[0].path == "/v9.0/77/messages"
        assert server.journal[0].headers["authorization"] == "Bearer token"
        assert sends() == []

    def test_the_longest_part_fits(self, simulator, outgoing):
        for part in whatsapp.parts("😀 wörd " * 2000):
            event_loop.run(whatsapp.send(outgoing(text=part)))

        assert {entry["status"] for entry in simulator.requests(api="graph")} == {200}

    @pytest.mark.parametrize("answer", [{"messages": []}, {"messages": [{}]}, {"messages": 5}, {"a": 1}])
    def test_an_answer_without_an_id_leaves_the_outcome_open(self, outgoing, answer):
        with serving(always(answer)) as server, pytest.raises(OutcomeUnknownError):
            event_loop.run(whatsapp.send(outgoing(api_base_url=server.url)))


class TestParts:
    def test_are_of_at_most_4000_characters(self):
        parts = whatsapp.parts("word " * 2000)

        assert [len(part) for part in parts] == [3999, 3999, 1999]


class TestShowTyping:
    def test_marks_as_read_and_types_in_one_post(self, simulator, seen, sends):
        event_loop.run(whatsapp.show_typing(seen()))

        assert sends() == [
            (
                "/v25.0/109876543210987/messages",
                {
                    "messaging_product": "whatsapp",
                    "status": "read",
                    "message_id": "wamid.x",
                    "typing_indicator": {"type": "text"},
                },
            )
        ]

    def test_goes_to_the_numbers_own_host(self, seen):
        with serving(always({"success": True})) as server:
            event_loop.run(whatsapp.show_typing(seen(api_base_url=server.url, sender_id="77")))

        assert server.journal[0].path == "/77/messages"

    @pytest.mark.parametrize("fault", [{"drop": 1}, {"errors": {"190": 1}}, {"errors": {"503": 1}}])
    def test_never_fails(self, simulator, seen, fault):
        simulator.behave(graph=fault)

        event_loop.run(whatsapp.show_typing(seen()))

        assert len(simulator.requests(api="graph")) == 1

    def test_never_waits_long(self, simulator, seen, monkeypatch):
        monkeypatch.setattr("channels_app.senders.graph._COURTESY_TIMEOUT", 0.2)
        simulator.behave(graph={"hang": 1, "hang_seconds": 5})

        event_loop.run(whatsapp.show_typing(seen()))

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nonsense://x", "http://[", ""])
    def test_survives_a_host_that_is_away(self, simulator, seen, url):
        event_loop.run(whatsapp.show_typing(seen(api_base_url=url)))

    @pytest.mark.parametrize("answer", [b"", b"<html>", [], {"error": "no"}, {"error": {"code": {}}}])
    def test_survives_any_answer(self, seen, answer):
        with serving(always(answer)) as server:
            event_loop.run(whatsapp.show_typing(seen(api_base_url=server.url)))


class TestErrors:
    """How Graph's answers are told apart; the same for all channels."""

    @pytest.mark.parametrize(
        "code",
        # 3 and 131045 come with a 500
        ["0", "3", "4", "10", "100", "131045", "131047", "131026", "131056", "130429", "190", "200", "368"],
    )
    def test_a_refusal_is_not_delivered(self, simulator, outgoing, code):
        simulator.behave(graph={"script": [{"code": code}]})

        with pytest.raises(NotDeliveredError) as caught:
            event_loop.run(whatsapp.send(outgoing()))

        assert caught.value.code == code
        assert caught.value.request_id

    @pytest.mark.parametrize("step", [{"status": 500}, {"status": 503}, {"code": 131000}, {"code": 131016}])
    def test_a_failure_leaves_the_outcome_open(self, simulator, outgoing, step):
        simulator.behave(graph={"script": [step]})

        with pytest.raises(OutcomeUnknownError):
            event_loop.run(whatsapp.send(outgoing()))

    @pytest.mark.parametrize("step", [{"drop": True}, {"drop_after_accept": True}, {"hang": 30}])
    def test_no_answer_leaves_the_outcome_open(self, simulator, outgoing, step):
        simulator.behave(graph={"script": [step]})

        with pytest.raises(OutcomeUnknownError):
            event_loop.run(whatsapp.send(outgoing(timeout=2)))

    def test_a_refused_connection_is_not_delivered(self, outgoing):
        with pytest.raises(NotDeliveredError) as caught:
            event_loop.run(whatsapp.send(outgoing(api_base_url="http://127.0.0.1:1")))

        assert caught.value.code == "not_connected"

    def test_an_error_in_a_200_is_not_delivered(self, outgoing):
        answer = {"error": {"code": 100, "message": "(#100) no"}}

        with serving(always(answer)) as server, pytest.raises(NotDeliveredError) as caught:
            event_loop.run(whatsapp.send(outgoing(api_base_url=server.url)))

        assert (caught.value.code, str(caught.value)) == ("100", "(#100) no")

    @pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'{"error": "x"}'])
    @pytest.mark.parametrize("status", [200, 302, 400])
    def test_an_unreadable_answer_leaves_the_outcome_open(self, outgoing, body, status):
        with serving(always(body, status=status)) as server, pytest.raises(OutcomeUnknownError):
            event_loop.run(whatsapp.send(outgoing(api_base_url=server.url)))
