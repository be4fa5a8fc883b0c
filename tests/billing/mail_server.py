"""A business's mail server, which says what a test tells it to."""

import contextlib
import socketserver
import threading
import time
from types import TracebackType


class _Handler(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            self._talk()

    def _talk(self) -> None:
        if not self._says("CONNECT", "220 here"):
            return
        for line in self.rfile:
            word = line.decode().split()[0].upper()
            if word == "DATA":
                # What is said once all of it has come.
                self.wfile.write(b"354 go on\r\n")
                text = b"".join(iter(self.rfile.readline, b".\r\n"))
                with self.server.lock:
                    self.server.texts.append(text)
            if not self._says(word, "221 bye" if word == "QUIT" else "250 fine"):
                return

    def _says(self, word: str, usual: str) -> bool:
        """Answer, and tell whether to go on; an empty answer hangs up."""
        with self.server.lock:
            self.server.now += word == "CONNECT"
            self.server.most_at_once = max(self.server.most_at_once, self.server.now)
        if word == "CONNECT":
            time.sleep(self.server.delay)
        answer = self.server.answers.get(word, usual)
        with self.server.lock:
            self.server.now -= not answer or word == "QUIT"
        self.wfile.write(f"{answer}\r\n".encode() if answer else b"")
        return bool(answer) and word != "QUIT"


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, str] = {}
        self.texts: list[bytes] = []
        self.delay = 0.0
        self.now = self.most_at_once = 0
        self.lock = threading.Lock()


class MailServer:
    """Takes everything, but for what `answer` says: `CONNECT`, or a command, and how it is answered."""

    def __init__(self) -> None:
        self._server = _Server()
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()

    @property
    def texts(self) -> list[bytes]:
        """What was handed over, in order."""
        return self._server.texts

    @property
    def most_at_once(self) -> int:
        """How many it talked with at the same time, at most."""
        return self._server.most_at_once

    def answer(self, word: str, answer: str) -> None:
        """Answer a command so from now on; an empty answer hangs up."""
        self._server.answers[word] = answer

    def take_time(self, seconds: float) -> None:
        """Let everybody wait who connects."""
        self._server.delay = seconds

    def __enter__(self) -> "MailServer":
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
