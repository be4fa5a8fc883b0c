"""A webhook that keeps what it is sent, and answers what it is told to."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulator.exchange import Json


class Receiver:
    """
    Runs in a thread of the tests; `answers` are used up first, then it is 200.

    `react` is called with every body, after the answer.
    """

    def __init__(self):
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.react: Callable[[Json], object] | None = None
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()
                if receiver.react:
                    receiver.react(json.loads(body))

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhook/meta"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, body in list(self.received)]

    def forget(self) -> None:
        self.received.clear()
        self.answers.clear()
        self.react = None

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
