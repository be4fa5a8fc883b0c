"""Responses of the web process: whole, and files in blocks. Its limits are in test_gateway.py."""

from pathlib import Path

import pytest
import requests
import unfold

from config.gateway.wsgi_bridge import BLOCK_BYTES
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
        answer = requests.get(f"{web}/static/{address}", headers={"Accept-Encoding": "identity"}, timeout=60)

        assert (answer.status_code, answer.content) == (200, file.read_bytes())

    def test_are_longer_and_shorter_than_a_block(self):
        assert SMALL.stat().st_size < BLOCK_BYTES < LARGE.stat().st_size

    def test_are_not_sent_where_only_their_head_is_asked_for(self, web):
        answer = requests.head(f"{web}/static/unfold/css/styles.css", timeout=60)

        assert (answer.status_code, answer.content) == (200, b"")


class TestAnswers:
    def test_are_sent_whole_one_after_the_other(self, web):
        with requests.Session() as session:
            answers = [session.get(f"{web}/health/live", timeout=60) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200] * 3
        assert len({answer.headers["content-length"] for answer in answers}) == 1
