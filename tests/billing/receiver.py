"""A business's server, which answers as a test tells it to."""

import contextlib
import http.server
import threading
import time
from types import TracebackType
from typing import Any


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.posts.append({"path": self.path, "headers": dict(self.headers.items()), "body": body})
        with self.server.lock:
            plan = self.server.plans.pop(0) if self.server.plans else self.server.usual
        with contextlib.suppress(OSError):
            self._answer(plan)
        self.close_connection = True

    def _answer(self, plan: dict[str, Any]) -> None:
        time.sleep(plan.get("delay", 0))
        if plan.get("reset"):
            self.connection.close()
            return
        if plan.get("drip"):
            self._drip(b"HTTP/1.1 200 OK\r\n" + b"x-slow: " + b"x" * 10_000)
            return
        self.send_response(plan.get("status", 204))
        for name, value in plan.get("headers", {}).items():
            self.send_header(name, value)
        self.end_headers()
        if plan.get("endless"):
            while not self.server.is_over.is_set():
                self.wfile.write(b"x" * 65_536)

    def _drip(self, content: bytes) -> None:
        for byte in content:
            if self.server.is_over.is_set():
                return
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posts: list[dict[str, Any]] = []
        self.plans: list[dict[str, Any]] = []
        self.usual: dict[str, Any] = {}
        self.connections = 0
        self.lock = threading.Lock()
        self.is_over = threading.Event()

    def get_request(self):
        self.connections += 1
        return super().get_request()


class Receiver:
    """Answers 204, or what `plan` says, one after the other: status, headers, delay, drip, endless, reset."""

    def __init__(self) -> None:
        self._server = _Server()
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    @property
    def posts(self) -> list[dict[str, Any]]:
        """What was posted, in order."""
        return self._server.posts

    @property
    def connections(self) -> int:
        """How often anybody connected."""
        return self._server.connections

    def plan(self, *plans: dict[str, Any]) -> None:
        self._server.plans.extend(plans)

    def always(self, **plan: Any) -> None:
        self._server.usual = plan

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.is_over.set()
        self._server.shutdown()
        self._server.server_close()
