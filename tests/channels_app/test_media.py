import base64
import threading
import time

import pytest
import requests
from django.core.files.storage import default_storage

from channels_app import media
from channels_app.meta.types import Media
from config.lib import networks, outbound
from config.lib.errors import RejectedError, UnavailableError
from simulator.graph_media import TINY_PNG
from tests.channels_app.senders.local_server import always, reply, serving
from tests.rig import PATIENCE

JPEG = b"\xff\xd8\xff\xe0" + b"x" * 60


def box(brand: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + b"\0" * 40


@pytest.fixture
def fetch():
    def call(sent=Media(kind="image", media_id="img-1"), *, seconds=60.0, api_base_url="", **more):  # noqa: B008
        deadline = time.monotonic() + seconds
        return media.fetch(sent, access_token="token", api_base_url=api_base_url, deadline=deadline, **more)

    return call


@pytest.fixture
def fetch_file(fetch):
    """Fetch a file of this content from a host of our own, as Instagram's are."""

    def call(content, *, kind="image", **more):
        with serving(always(content)) as server:
            return fetch(Media(kind=kind, url=f"{server.url}/f"), api_base_url=server.url, **more)

    return call


def code_of(caught):
    return caught.value.code


def graph_that_names(url):
    """A Graph API for which every file lies there."""
    return always({"url": url, "mime_type": "image/png"})


class TestWhatsApp:
    def test_is_fetched_in_two_steps(self, simulator, fetch):
        fetched = fetch()

        asked = [entry["path"] for entry in simulator.requests(api="graph")]
        assert fetched == media.Fetched(TINY_PNG, "image/png", "image.png")
        assert asked == ["/v25.0/img-1", "/whatsapp_business/attachments/"]

    def test_shows_its_token_and_says_who_it_is(self, fetch):
        def answer(handler):
            file = {"url": f"http://{handler.headers['host']}/file"}
            reply(handler, JPEG if handler.path == "/file" else file)

        with serving(answer) as server:
            fetch(api_base_url=server.url + "/")

        assert [asked.path for asked in server.journal] == ["/img-1", "/file"]
        for asked in server.journal:
            assert asked.headers["authorization"] == "Bearer token"
            assert asked.headers["user-agent"]

    @pytest.mark.parametrize("status", [404, 410])
    def test_asks_once_for_another_url(self, fetch, status):
        def answer(handler):
            described = sum(asked.path == "/img-1" for asked in server.journal)
            host = handler.headers["host"]
            if handler.path == "/img-1":
                reply(handler, {"url": f"http://{host}/file{described}"})
            elif handler.path == "/file1":
                reply(handler, b"", status=status)
            else:
                reply(handler, JPEG)

        with serving(answer) as server:
            assert fetch(api_base_url=server.url).content == JPEG

        assert [asked.path for asked in server.journal] == ["/img-1", "/file1", "/img-1", "/file2"]

    def test_is_gone_when_the_second_url_is_too(self, fetch):
        def answer(handler):
            if handler.path == "/img-1":
                reply(handler, {"url": f"http://{handler.headers['host']}/file"})
            else:
                reply(handler, b"", status=404)

        with serving(answer) as server, pytest.raises(RejectedError) as caught:
            fetch(api_base_url=server.url)

        assert (code_of(caught), len(server.journal)) == ("gone", 4)

    def test_no_foreign_host_sees_the_token(self, fetch):
        with (
            serving(always(JPEG)) as foreign,
            serving(graph_that_names(f"{foreign.url}/file")) as server,
            pytest.raises(RejectedError) as caught,
        ):
            fetch(api_base_url=server.url)

        assert code_of(caught) == "foreign_host"
        assert foreign.journal == []

    @pytest.mark.parametrize(
        "url",
        [
            "http://lookaside.fbsbx.com/x",
            "https://lookaside.fbsbx.com:8443/x",
            "https://lookaside.fbsbx.com.example.com/x",
            "https://fbsbx.com.example.com/x",
            "https://evilfbsbx.com/x",
            "https://lookaside.fbsbx.com@example.com/x",
            "https://example.com/lookaside.fbsbx.com",
            "https://127.0.0.1/x",
            "//lookaside.fbsbx.com/x",
            "file:///etc/passwd",
            "https://[::1/x",
            "https://lookaside.fbsbx.com:x/",
            "",
        ],
    )
    def test_only_metas_hosts_are_asked(self, fetch, monkeypatch, url):
        asked = []
        real = outbound.get_bytes
        monkeypatch.setattr(outbound, "get_bytes", lambda url, **more: asked.append(url) or real(url, **more))

        with serving(graph_that_names(url)) as server, pytest.raises(RejectedError) as caught:
            fetch(api_base_url=server.url)

        assert (code_of(caught), asked) == ("foreign_host", [f"{server.url}/img-1"])

    def test_a_redirect_is_not_followed(self, fetch):
        def answer(handler):
            if handler.path == "/img-1":
                reply(handler, {"url": f"http://{handler.headers['host']}/file"})
            else:
                reply(handler, b"", status=302, location=foreign.url)

        with (
            serving(always(JPEG)) as foreign,
            serving(answer) as server,
            pytest.raises(RejectedError) as caught,
        ):
            fetch(api_base_url=server.url)

        assert (code_of(caught), foreign.journal) == ("302", [])

    @pytest.mark.parametrize("media_id", ["../me", "1?x=2", "1/2", "é", "x" * 201, "a b"])
    def test_an_id_that_is_none_is_not_asked_for(self, simulator, fetch, media_id):
        with pytest.raises(RejectedError):
            fetch(Media(kind="image", media_id=media_id))

        assert simulator.requests(api="graph") == []

    def test_an_unknown_file_is_refused(self, simulator, fetch):
        with pytest.raises(RejectedError) as caught:
            fetch(Media(kind="image", media_id="nothing"))

        assert code_of(caught) == "100"

    @pytest.mark.parametrize(
        ("status", "answer", "error"),
        [
            (401, {"error": {"code": 190}}, RejectedError),
            (200, {"error": {"code": 100}}, RejectedError),
            (400, {"error": {"code": 130429}}, UnavailableError),
            (400, {"error": {"code": 4}}, UnavailableError),
            (503, {"error": {"code": 2}}, UnavailableError),
            (500, {"error": {"code": 9}}, UnavailableError),
            (502, b"<html>", UnavailableError),
            (200, b"<html>", UnavailableError),
            (200, b"[]", UnavailableError),
            (200, b"x" * 70_000, RejectedError),
        ],
    )
    def test_tells_graphs_errors_apart(self, fetch, status, answer, error):
        with serving(always(answer, status=status)) as server, pytest.raises(error):
            fetch(api_base_url=server.url)

    def test_a_host_that_is_away_is_worth_another_try(self, fetch):
        with pytest.raises(UnavailableError):
            fetch(api_base_url="http://127.0.0.1:1")

    def test_a_token_no_header_can_hold_sends_nothing(self):
        with serving(always({})) as server, pytest.raises(UnavailableError):
            media.fetch(
                Media(kind="image", media_id="1"),
                access_token="a\nb",
                api_base_url=server.url,
                deadline=time.monotonic() + 60,
            )

        assert server.journal == []


class TestInstagram:
    def test_is_fetched_by_its_url_without_a_token(self, simulator, fetch):
        order = {"id": "m1", "mime_type": "image/gif", "data": base64.b64encode(b"GIF89a...").decode()}
        requests.post(f"{simulator.url}/_simulator/media", json=order, timeout=60).raise_for_status()

        fetched = fetch(Media(kind="image", url=f"{simulator.url}/ig_messaging_cdn/?asset_id=m1"))

        (asked,) = simulator.requests(path="/ig_messaging_cdn/")
        assert (fetched.content, fetched.mime_type) == (b"GIF89a...", "image/gif")
        assert "authorization" not in {name.lower() for name in asked["headers"]}

    def test_no_host_of_ours_is_asked_in_production(self, settings, fetch):
        settings.IS_PRODUCTION = True

        with serving(always(JPEG)) as server, pytest.raises(RejectedError) as caught:
            fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url)

        assert (code_of(caught), server.journal) == ("foreign_host", [])

    @pytest.mark.parametrize(
        "url",
        ["https://example.com/x.jpg", "http://scontent.cdninstagram.com/x", "https://x.whatsapp.net/x", ""],
    )
    def test_only_instagrams_hosts_are_asked(self, fetch, url):
        with pytest.raises(RejectedError) as caught:
            fetch(Media(kind="image", url=url))

        assert code_of(caught) == "foreign_host"

    @pytest.mark.parametrize(
        ("status", "error"),
        [(403, RejectedError), (404, RejectedError), (410, RejectedError), (301, RejectedError),
         (429, UnavailableError), (500, UnavailableError), (503, UnavailableError)],
    )  # fmt: skip
    def test_tells_its_answers_apart(self, fetch, status, error):
        with serving(always(b"", status=status)) as server, pytest.raises(error):
            fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url)


class TestLimits:
    @pytest.mark.parametrize("is_announced", [True, False])
    @pytest.mark.parametrize(
        ("kind", "content", "megabytes"),
        [("image", JPEG, 5), ("sticker", JPEG, 5), ("voice", b"OggS", 16), ("video", box(b"isom"), 16)],
    )
    def test_a_file_too_large_is_refused(self, fetch, kind, content, megabytes, is_announced):
        size = megabytes * 1024 * 1024 + 1
        sent = [0]

        def answer(handler):
            handler.send_response(200)
            if is_announced:
                handler.send_header("content-length", str(size))
            handler.end_headers()
            handler.wfile.write(content)
            for _ in range(200):
                handler.wfile.write(b"\0" * 1024 * 1024)
                sent[0] += 1

        with serving(answer) as server, pytest.raises(RejectedError) as caught:
            fetch(Media(kind=kind, url=f"{server.url}/f"), api_base_url=server.url)

        assert code_of(caught) == "too_large"
        assert sent[0] < megabytes + 20

    def test_the_largest_file_is_taken(self, fetch_file):
        content = JPEG.ljust(5 * 1024 * 1024, b"\0")

        assert fetch_file(content).content == content

    def test_the_callers_own_limit_counts_too(self, fetch_file):
        with pytest.raises(RejectedError) as caught:
            fetch_file(JPEG, max_bytes=20)

        assert code_of(caught) == "too_large"

    @pytest.mark.parametrize("where", ["head", "body", "chunks"])
    def test_a_host_that_drips_is_cut_off_at_the_deadline(self, fetch, where):
        def answer(handler):
            if where == "head":
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nx: ")
            elif where == "chunks":
                handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            else:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            for _ in range(20 * int(PATIENCE)):
                handler.wfile.write(b"1\r\nx\r\n" if where == "chunks" else b"x")
                handler.wfile.flush()
                time.sleep(0.05)

        with serving(answer) as server, pytest.raises(UnavailableError) as caught:
            fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url, seconds=0.5)

        assert str(caught.value) == "not in time"

    def test_silence_ends_at_the_deadline(self, fetch):
        has_ended = threading.Event()
        with serving(lambda _handler: has_ended.wait(PATIENCE)) as server:
            with pytest.raises(UnavailableError, match="not in time"):
                fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url, seconds=0.4)
            has_ended.set()

    def test_after_the_deadline_nothing_is_asked(self, fetch):
        with serving(always(JPEG)) as server, pytest.raises(UnavailableError):
            fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url, seconds=-1)

        assert server.journal == []

    def test_half_a_file_is_none(self, fetch):
        def answer(handler):
            handler.send_response(200)
            handler.send_header("content-length", "1000")
            handler.end_headers()
            handler.wfile.write(JPEG)

        with serving(answer) as server, pytest.raises(UnavailableError):
            fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url)

    def test_chunks_are_put_together(self, fetch):
        def answer(handler):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            handler.wfile.write(b"4\r\n" + JPEG[:4] + b"\r\n3c\r\n" + JPEG[4:] + b"\r\n0\r\n\r\n")

        with serving(answer) as server:
            fetched = fetch(Media(kind="image", url=f"{server.url}/f"), api_base_url=server.url)

        assert fetched.content == JPEG


class TestType:
    @pytest.mark.parametrize(
        ("kind", "content", "mime_type", "filename"),
        [
            ("image", TINY_PNG, "image/png", "image.png"),
            ("image", JPEG, "image/jpeg", "image.jpg"),
            ("image", b"GIF87a..", "image/gif", "image.gif"),
            ("sticker", b"RIFF1234WEBPVP8 ", "image/webp", "sticker.webp"),
            ("voice", b"OggS\0\2", "audio/ogg", "voice.ogg"),
            ("audio", b"ID3\4", "audio/mpeg", "audio.mp3"),
            ("audio", b"\xff\xfb\x90", "audio/mpeg", "audio.mp3"),
            ("audio", b"\xff\xf1\x50", "audio/aac", "audio.aac"),
            ("audio", b"#!AMR\n", "audio/amr", "audio.amr"),
            ("audio", b"RIFF1234WAVEfmt ", "audio/wav", "audio.wav"),
            ("audio", box(b"M4A "), "audio/mp4", "audio.m4a"),
            ("voice", box(b"isom"), "audio/mp4", "voice.m4a"),
            ("video", box(b"mp42"), "video/mp4", "video.mp4"),
            ("video", box(b"3gp5"), "video/3gpp", "video.3gp"),
            ("document", b"%PDF-1.7", "application/pdf", "document.pdf"),
            ("document", TINY_PNG, "image/png", "document.png"),
        ],
    )
    def test_is_what_the_content_says(self, fetch_file, kind, content, mime_type, filename):
        fetched = fetch_file(content, kind=kind)

        assert (fetched.mime_type, fetched.filename) == (mime_type, filename)

    @pytest.mark.parametrize(
        ("kind", "content"),
        [
            ("image", b""),
            ("image", b"<svg xmlns='http://www.w3.org/2000/svg'><script>"),
            ("image", b"<?xml version='1.0'?><svg>"),
            ("image", b"<!doctype html><script>"),
            ("document", b"<html>"),
            ("document", b"MZ\x90"),
            ("document", b"PK\3\4"),
            ("image", b"%PDF-1.7"),
            ("image", box(b"isom")),
            ("image", box(b"heic")),
            ("audio", TINY_PNG),
            ("voice", b"\xff\xd8\xff"),
            ("video", b"OggS"),
            ("image", b" \x89PNG\r\n\x1a\n"),
            ("share", JPEG),
        ],
    )
    def test_anything_else_is_refused(self, fetch_file, kind, content):
        with pytest.raises(RejectedError):
            fetch_file(content, kind=kind)

    def test_what_the_sender_declares_counts_for_nothing(self, simulator, fetch):
        order = {"id": "m2", "mime_type": "text/html", "data": base64.b64encode(JPEG).decode()}
        requests.post(f"{simulator.url}/_simulator/media", json=order, timeout=60).raise_for_status()

        sent = Media(kind="image", media_id="m2", mime_type="image/svg+xml", filename="../../evil.html")

        assert fetch(sent) == media.Fetched(JPEG, "image/jpeg", "image.jpg")


@pytest.mark.usefixtures("media_storage")
class TestStore:
    def test_keeps_a_file_under_a_name_of_our_own(self):
        fetched = media.Fetched(JPEG, "image/jpeg", "image.jpg")

        first, second = (media.store(fetched, name_prefix="109876543210987") for _ in range(2))

        assert first.startswith("109876543210987/")
        assert first.endswith(".jpg")
        assert first != second
        with default_storage.open(first) as file:
            assert file.read() == JPEG


class TestGetBytes:
    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    def test_keeps_out_of_our_own_network(self, host):
        with serving(always(b"secret")) as server:
            url = server.url.replace("127.0.0.1", host)

            with pytest.raises(outbound.ForbiddenAddressError):
                outbound.get_bytes(url, headers={}, max_bytes=10, deadline=time.monotonic() + 60)

        assert server.journal == []

    @pytest.mark.parametrize(
        ("address", "is_public"),
        [("157.240.1.1", True), ("2a03:2880::1", True), ("10.0.0.1", False), ("169.254.169.254", False),
         ("100.64.0.1", False), ("0.0.0.0", False), ("::1", False), ("fe80::1%eth0", False),
         ("fd00::1", False), ("::ffff:127.0.0.1", False), ("::ffff:157.240.1.1", True), ("224.0.0.1", False)],
    )  # fmt: skip
    def test_knows_a_public_address(self, address, is_public):
        assert networks.may_reach(networks.parsed(address)) is is_public

    @pytest.mark.parametrize(
        "url", ["ftp://127.0.0.1/x", "http:///x", "http://127.0.0.1:99999/", "http://a b/"]
    )
    def test_an_unusable_url_sends_nothing(self, url):
        with pytest.raises(outbound.NotSentError):
            outbound.get_bytes(
                url, headers={}, max_bytes=10, deadline=time.monotonic() + 60, may_be_private=True
            )

    def test_a_server_without_tls_is_not_spoken_to(self):
        with serving(always(b"x")) as server, pytest.raises(outbound.NotSentError):
            outbound.get_bytes(
                server.url.replace("http:", "https:"),
                headers={"authorization": "Bearer token"},
                max_bytes=10,
                deadline=time.monotonic() + 60,
                may_be_private=True,
            )

        assert server.journal == []
