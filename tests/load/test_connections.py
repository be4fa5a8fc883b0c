import asyncio
import contextlib

import uvloop

from tests.load import connections
from tests.load.connections import NOT_ANSWERED, Poster

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
_REFUSED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def post_all(requests, answers, *, pause=0.0):
    """Post to a server that gives these answers in turn (None: hangs up), and return the outcomes."""
    given = iter(answers)

    async def serve(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                answer = next(given)
                await asyncio.sleep(pause)
                if answer is None:
                    break
                for byte in answer:
                    writer.write(bytes([byte]))
                    await writer.drain()
        writer.close()

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            poster = Poster("127.0.0.1", server.sockets[0].getsockname()[1], requests)
            await poster.open(1)
            for place in range(len(requests)):
                poster.post(place)
            await poster.finish()
            return poster.outcomes

    return uvloop.run(run())


class TestPoster:
    def test_notes_each_answer_however_it_is_cut(self):
        outcomes = post_all([b"POST / HTTP/1.1\r\n\r\n"] * 5, [_OK, _OK, _REFUSED, _OK, _OK])

        assert sorted(outcomes.statuses) == [200, 200, 200, 200, 503]
        assert all(
            0 < posted <= answered
            for posted, answered in zip(outcomes.posted, outcomes.answered, strict=True)
        )

    def test_notes_a_server_that_hangs_up_and_goes_on(self):
        outcomes = post_all([b"POST / HTTP/1.1\r\n\r\n"] * 4, [_OK, None, _OK, _OK])

        assert sorted(outcomes.statuses) == [NOT_ANSWERED, 200, 200, 200]

    def test_waits_for_a_long_queue_as_long_as_it_moves(self, monkeypatch):
        monkeypatch.setattr(connections, "MOST_CONNECTIONS", 1)
        monkeypatch.setattr(connections, "LONGEST_ANSWER", 1.0)

        outcomes = post_all([b"POST / HTTP/1.1\r\n\r\n"] * 5, [_OK] * 5, pause=0.3)

        assert outcomes.statuses == [200] * 5
