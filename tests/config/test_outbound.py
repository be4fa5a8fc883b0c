"""The one way out."""

import pytest

from config.lib import outbound
from tests.agents.broken_server import BrokenServer


class TestPostJson:
    def test_never_follows_a_redirect(self):
        with BrokenServer() as other, BrokenServer() as server:
            server.answer(b"", status=307, headers={"location": other.url})

            answer = outbound.post_json(server.url, body={}, token="secret", timeout=5)

        assert answer.status_code == 307
        assert (server.calls, other.calls) == (1, 0)

    def test_of_an_answer_that_breaks_off_leaves_it_unknown(self):
        with BrokenServer() as server:
            server.answer(b'{"messages": [', length=500)

            with pytest.raises(outbound.NoAnswerError):
                outbound.post_json(server.url, body={}, token="secret", timeout=5)

    def test_names_neither_url_nor_token_in_its_errors(self):
        with pytest.raises(outbound.NotSentError) as caught:
            outbound.post_json("http://127.0.0.1:1/path", body={}, token="secret", timeout=5)

        assert not {"secret", "path"} & set(str(caught.value).split())
