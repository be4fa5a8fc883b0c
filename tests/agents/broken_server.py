"""A local HTTP server for what the simulator never does: answers that nobody can read."""

import http.server
import threading
from types import TracebackType
from typing import Any


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        told = self.server.told
        self.server.calls += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(told["status"])
        self.send_header("content-type", told["content_type"])
        self.send_header("content-length", str(told["length"] or len(told["body"])))
        for name, value in told["headers"].items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told["body"])
        self.close_connection = True

    do_GET = do_POST  # noqa: N815  (the base class names it)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    calls = 0
    told: dict[str, Any]


class BrokenServer:
    def __init__(self) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self.answer(b"{}")
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True)

    @property
    def calls(self) -> int:
        return self._server.calls

    def answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        length: int = 0,
    ) -> None:
        """Answer so from now on; with a `length` that is not the body's, break off in the middle."""
        self._server.told = {
            "body": body,
            "status": status,
            "content_type": content_type,
            "headers": headers or {},
            "length": length,
        }

    def __enter__(self) -> "BrokenServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
