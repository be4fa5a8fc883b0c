"""What the web process sends: answers whole, files in blocks, and nothing more than what was asked for."""

import asyncio
from pathlib import Path

import pytest
import requests
import unfold

from channels_app.webchat.files import MOST_BYTES
from config import asgi
from config.asgi import BLOCK_BYTES
from tests import environment
from tests.rig import PROJECT

LARGE = Path(unfold.__file__).parent / "static/unfold/css/styles.css"
SMALL = PROJECT / "config/static/staff/admin.css"


@pytest.fixture
def web(_rig):
    _rig.migrate()
    _rig.start("web")
    return environment.API_URL


class TestFiles:
    @pytest.mark.parametrize(
        ("address", "file"), [("unfold/css/styles.css", LARGE), ("staff/admin.css", SMALL)]
    )
    def test_are_sent_whole(self, web, address, file):
        answer = requests.get(f"{web}/static/{address}", headers={"Accept-Encoding": "identity"}, timeout=10)

        assert (answer.status_code, answer.content) == (200, file.read_bytes())

    def test_are_longer_and_shorter_than_a_block(self):
        assert SMALL.stat().st_size < BLOCK_BYTES < LARGE.stat().st_size

    def test_are_not_sent_where_only_their_head_is_asked_for(self, web):
        answer = requests.head(f"{web}/static/unfold/css/styles.css", timeout=10)

        assert (answer.status_code, answer.content) == (200, b"")


class TestBodies:
    def test_may_be_as_large_as_a_picture(self, web):
        answer = requests.post(f"{web}/webchat/web_none/files", data=bytes(MOST_BYTES), timeout=30)

        # It was read, and there is no such chat.
        assert answer.status_code == 404

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(("place", "status"), [("files", 404), ("messages", 408)])
    def test_may_come_slowly_where_they_are_pictures(self, monkeypatch, place, status):
        monkeypatch.setattr(asgi, "BODY_SECONDS", 0.01)
        scope = {
            "type": "http", "method": "POST", "path": f"/webchat/web_none/{place}", "scheme": "http",
            "query_string": b"", "http_version": "1.1", "headers": [(b"host", b"localhost")],
        }  # fmt: skip
        answers = []

        async def receive() -> dict:
            await asyncio.sleep(0.1)
            return {"type": "http.request", "body": b"x"}

        async def send(message: dict) -> None:
            answers.append(message)

        asyncio.run(asgi.application(scope, receive, send))

        assert answers[0]["status"] == status


class TestAnswers:
    def test_are_sent_whole_one_after_the_other(self, web):
        with requests.Session() as session:
            answers = [session.get(f"{web}/health/live", timeout=10) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({answer.headers["content-length"] for answer in answers}) == 1
