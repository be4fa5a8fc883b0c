"""The one way out."""

import socket
import threading
import time

import pytest

from config.lib import event_loop, outbound
from tests.agents.broken_server import BrokenServer
from tests.billing.receiver import Receiver
from tests.config import certificates


class TestPostJson:
    def test_never_follows_a_redirect(self):
        with BrokenServer() as other, BrokenServer() as server:
            server.answer(b"", status=307, headers={"location": other.url})

            answer = event_loop.run(outbound.post_json(server.url, body={}, token="secret", timeout=60))

        assert answer.status == 307
        assert (server.calls, other.calls) == (1, 0)

    def test_of_an_answer_that_breaks_off_leaves_it_unknown(self):
        with BrokenServer() as server:
            server.answer(b'{"messages": [', length=500)

            with pytest.raises(outbound.NoAnswerError):
                event_loop.run(outbound.post_json(server.url, body={}, token="secret", timeout=60))

    def test_names_neither_url_nor_token_in_its_errors(self):
        with pytest.raises(outbound.NotSentError) as caught:
            event_loop.run(outbound.post_json("http://127.0.0.1:1/path", body={}, token="secret", timeout=60))

        assert not {"secret", "path"} & set(str(caught.value).split())


@pytest.fixture
def receiver():
    with Receiver() as running:
        yield running


def post(url: str, *, seconds: float = 60, may_be_private: bool = True, **headers: str) -> outbound.Posted:
    return outbound.post_bytes(
        url,
        body=b"{}",
        headers=headers,
        deadline=time.monotonic() + seconds,
        may_be_private=may_be_private,
    )


class TestPostBytes:
    def test_gives_status_and_when_to_come_again(self, receiver):
        receiver.plan({"status": 503, "headers": {"retry-after": "7"}})

        assert post(receiver.url, **{"x-mine": "1"}) == outbound.Posted(503, "7")
        (posted,) = receiver.posts
        assert (posted["path"], posted["body"], posted["headers"]["x-mine"]) == ("/hook", b"{}", "1")

    def test_does_not_wait_for_the_end_of_the_answer(self, receiver):
        receiver.plan({"status": 200, "endless": True})

        assert post(receiver.url).status == 200

    @pytest.mark.parametrize("plan", [{"delay": 30}, {"drip": True}], ids=str)
    def test_gives_up_at_the_deadline(self, receiver, plan):
        receiver.plan(plan)

        with pytest.raises(outbound.NoAnswerError, match="not in time"):
            post(receiver.url, seconds=2)

    def test_sends_nothing_after_the_deadline(self, receiver):
        with pytest.raises(outbound.NotSentError):
            post(receiver.url, seconds=-1)

        assert receiver.posts == []

    def test_waits_for_no_name_server_longer_than_the_deadline(self, monkeypatch):
        is_answered = threading.Event()
        is_given_up = threading.Event()

        def resolve(*_args, **_more):
            is_answered.wait(60)
            is_given_up.set()
            raise socket.gaierror

        monkeypatch.setattr(outbound.socket, "getaddrinfo", resolve)

        with pytest.raises(outbound.NotSentError, match="TimeoutError"):
            post("https://shop.example/hook", seconds=0.3)

        assert not is_given_up.is_set()
        is_answered.set()
        assert is_given_up.wait(60)

    def test_of_a_name_without_addresses_is_not_sent(self, monkeypatch):
        def resolve(*_args, **_more):
            raise socket.gaierror

        monkeypatch.setattr(outbound.socket, "getaddrinfo", resolve)

        with pytest.raises(outbound.NotSentError, match="gaierror"):
            post("https://shop.example/hook")

    @pytest.mark.parametrize("may_be_private", [True, False])
    def test_never_reaches_the_metadata_of_a_cloud(self, may_be_private):
        with pytest.raises(outbound.ForbiddenAddressError):
            post("https://169.254.169.254/latest", may_be_private=may_be_private)

    def test_speaks_only_https_to_strangers(self, receiver):
        with pytest.raises(outbound.ForbiddenAddressError):
            post("http://example.com/", may_be_private=False)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A server of shop.example, which is the name of this machine here, and whose authority is believed."""
    path = certificates.make(tmp_path, "shop.example")
    found = socket.getaddrinfo

    def resolve(_name, *more, **named):
        return found("127.0.0.1", *more, **named)

    monkeypatch.setattr(outbound.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(outbound, "DEFAULT_CA_BUNDLE_PATH", str(path))
    outbound._tls.cache_clear()
    with Receiver(certificate=path) as running:
        yield running
    outbound._tls.cache_clear()


class TestPostBytesByTls:
    def test_says_whom_it_means_though_it_connects_to_an_address(self, shop):
        assert post(f"https://shop.example:{shop.port}/hook").status == 204

        assert shop.names == ["shop.example"]
        assert shop.posts[0]["headers"]["Host"] == f"shop.example:{shop.port}"

    def test_sends_nothing_to_somebody_else(self, shop):
        with pytest.raises(outbound.NotSentError, match="SSLCertVerificationError"):
            post(f"https://other.example:{shop.port}/hook")

        assert shop.posts == []

    def test_sends_nothing_to_somebody_nobody_vouches_for(self, shop, tmp_path):
        (tmp_path / "x").mkdir()
        with Receiver(certificate=certificates.make(tmp_path / "x", "shop.example")) as imposter:
            with pytest.raises(outbound.NotSentError, match="SSLCertVerificationError"):
                post(f"https://shop.example:{imposter.port}/hook")

            assert imposter.posts == []

    def test_does_not_wait_for_a_handshake_without_end(self):
        with (
            socket.create_server(("127.0.0.1", 0)) as silent,
            pytest.raises((outbound.NotSentError, outbound.NoAnswerError)),
        ):
            post(f"https://127.0.0.1:{silent.getsockname()[1]}/hook", seconds=0.5)
