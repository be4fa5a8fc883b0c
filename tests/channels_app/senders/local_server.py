import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class LocalServer:
    """An HTTP server that answers as `answer` does and remembers what it was asked."""

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]):
        self.journal: list[Asked] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer_one(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.journal.append(Asked(self.command, self.path, headers, body))
                with contextlib.suppress(OSError):
                    answer(self)

            def do_GET(self):
                self.answer_one()

            def do_POST(self):
                self.answer_one()

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[LocalServer]:
    server = LocalServer(answer)
    try:
        yield server
    finally:
        server.stop()


def reply(handler: BaseHTTPRequestHandler, content: object, *, status: int = 200, **headers: str) -> None:
    """Answer with bytes as they are, or with anything else as JSON."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    for name, value in {"content-length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def always(content: object, *, status: int = 200) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: reply(handler, content, status=status)
