"""A send is one POST, and what is not known to have failed is not called failed."""

import socket
from collections.abc import Iterator

import pytest
import structlog

from channels_app import senders
from channels_app.senders import whatsapp
from channels_app.senders.contract import NotDeliveredError, OutcomeUnknownError, Outgoing

NUMBER = "109876543210987"


def outgoing(**changes) -> Outgoing:
    usual = {
        "phone_number_id": NUMBER, "access_token": "graph-token-0123456789", "wa_id": "12025550143",
        "bsuid": None, "ig_id": None, "text": "Hello", "callback_data": "dlv_1", "timeout": 5,
    }  # fmt: skip
    return Outgoing(**{**usual, **changes})


@pytest.fixture
def graph(simulator):
    simulator.behave(statuses=False, graph={"latency": 0})
    return simulator


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


class TestSend:
    def test_gives_the_id_of_what_was_sent(self, graph):
        sent = whatsapp.send(outgoing())

        [entry] = graph.requests(api="graph")
        assert sent.startswith("wamid.")
        assert sent in entry["provider_ids"]

    def test_posts_the_text_to_the_phone_with_a_plus(self, graph):
        with structlog.contextvars.bound_contextvars(correlation_id="trace-1"):
            whatsapp.send(outgoing(text="Línea 1\n\U0001f642"))

        [entry] = graph.requests(api="graph")
        assert entry["path"].endswith(f"/{NUMBER}/messages")
        assert entry["headers"]["x-correlation-id"] == "trace-1"
        assert entry["body"] == {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": "+12025550143",
            "type": "text",
            "text": {"preview_url": False, "body": "Línea 1\n\U0001f642"},
            "biz_opaque_callback_data": "dlv_1",
        }

    def test_to_somebody_without_a_phone_goes_to_their_bsuid(self, graph):
        whatsapp.send(outgoing(wa_id=None, bsuid="US.1349"))

        [entry] = graph.requests(api="graph")
        assert entry["body"]["recipient"] == "US.1349"
        assert "to" not in entry["body"]

    def test_prefers_the_phone(self, graph):
        whatsapp.send(outgoing(bsuid="US.1349"))

        [entry] = graph.requests(api="graph")
        assert "recipient" not in entry["body"]

    def test_takes_as_much_as_it_says(self, graph):
        assert whatsapp.send(outgoing(text="x" * whatsapp.MAX_LENGTH))


class TestFailure:
    @pytest.mark.parametrize("code", [131047, 131056, 131026, 100, 190, 130429])
    def test_of_a_refused_send_is_certain(self, graph, code):
        graph.behave(graph={"script": [{"code": code}]})

        with pytest.raises(NotDeliveredError) as caught:
            whatsapp.send(outgoing())

        assert caught.value.code == str(code)
        assert caught.value.request_id

    @pytest.mark.parametrize("step", [{"code": 131000}, {"code": 2}, {"status": 503}, {"status": 500}])
    def test_of_graph_itself_leaves_it_unknown(self, graph, step):
        graph.behave(graph={"script": [step]})

        with pytest.raises(OutcomeUnknownError):
            whatsapp.send(outgoing())

    @pytest.mark.parametrize("step", [{"drop": True}, {"drop_after_accept": True}, {"hang": 30}])
    def test_of_the_connection_leaves_it_unknown(self, graph, step):
        graph.behave(graph={"script": [step]})

        with pytest.raises(OutcomeUnknownError):
            whatsapp.send(outgoing(timeout=0.2))

    @pytest.mark.parametrize("step", [{"code": 131047}, {"status": 503}, {"drop": True}])
    def test_is_never_tried_again_by_itself(self, graph, step):
        graph.behave(graph={"script": [step]})

        with pytest.raises((NotDeliveredError, OutcomeUnknownError)):
            whatsapp.send(outgoing())

        assert len(graph.requests(api="graph")) == 1

    def test_to_connect_is_certain(self, settings, closed_port):
        settings.WHATSAPP_API_BASE_URL = f"http://127.0.0.1:{closed_port}/v25.0"

        with pytest.raises(NotDeliveredError) as caught:
            whatsapp.send(outgoing())

        assert caught.value.code == "not_connected"

    def test_to_find_the_host_is_certain(self, settings):
        settings.WHATSAPP_API_BASE_URL = "http://graph.invalid/v25.0"

        with pytest.raises(NotDeliveredError):
            whatsapp.send(outgoing())

    def test_says_nothing_of_token_text_or_phone(self, graph, caplog):
        graph.behave(graph={"script": [{"code": 190}, {"status": 503}, {"drop": True}]})

        said = ""
        for _ in range(3):
            with pytest.raises((NotDeliveredError, OutcomeUnknownError)) as caught:
                whatsapp.send(outgoing(text="my secret"))
            said += repr(caught.value) + repr(caught.value.__dict__)

        for unwanted in ("my secret", "graph-token-0123456789", "12025550143"):
            assert unwanted not in said + caplog.text

    def test_of_the_whole_account_raises_an_alarm(self, graph, caplog):
        graph.behave(graph={"script": [{"code": 190}, {"code": 131047}]})

        for _ in range(2):
            with pytest.raises(NotDeliveredError):
                whatsapp.send(outgoing())

        assert caplog.text.count("graph.account_refused") == 1


class TestForChannel:
    def test_is_whatsapps_for_whatsapp(self):
        assert senders.for_channel("whatsapp") is whatsapp

    @pytest.mark.parametrize("channel", ["instagram", "webchat", "fax"])
    def test_is_nobodys_for_another(self, channel):
        with pytest.raises(NotDeliveredError):
            senders.for_channel(channel)
