"""A business's server, which answers as a test tells it to."""

import contextlib
import http.server
import ssl
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.posts.append({"path": self.path, "headers": dict(self.headers.items()), "body": body})
            self.server.now += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.now)
            plan = self.server.plans.pop(0) if self.server.plans else self.server.usual
        with contextlib.suppress(OSError):
            self._answer(plan)
        self.close_connection = True

    def _pause(self, seconds: float) -> None:
        """Take time, and be done with the post before the answer leaves."""
        time.sleep(seconds)
        with self.server.lock:
            self.server.now -= 1

    def _answer(self, plan: dict[str, Any]) -> None:
        self._pause(plan.get("delay", 0))
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

    def __init__(self, certificate: Path | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.names: list[str | None] = []
        self.tls = self._tls(certificate) if certificate else None
        self.posts: list[dict[str, Any]] = []
        self.plans: list[dict[str, Any]] = []
        self.usual: dict[str, Any] = {}
        self.connections = self.now = self.most_at_once = 0
        self.lock = threading.Lock()
        self.is_over = threading.Event()

    def get_request(self):
        sock, address = super().get_request()
        self.connections += 1
        if self.tls:
            # In the thread that answers, so that one who never shakes hands keeps nobody.
            sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def handle_error(self, _request, _address) -> None:
        """Keep quiet: a test's point may be that somebody hangs up."""

    def _tls(self, certificate: Path) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        return context


class Receiver:
    """Answers 204, or what `plan` says, one after the other: status, headers, delay, drip, endless, reset."""

    def __init__(self, *, certificate: Path | None = None) -> None:
        self._server = _Server(certificate)
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

    @property
    def most_at_once(self) -> int:
        """How many posts it was busy with at the same time, at most."""
        return self._server.most_at_once

    @property
    def names(self) -> list[str | None]:
        """Whom those meant who connected by TLS."""
        return self._server.names

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
