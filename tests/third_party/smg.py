"""
SMG, an independent OpenAI-compatible server with conversations, as a process in front of the simulator.

https://github.com/lightseekorg/smg, installed from PyPI. It keeps conversations and their items in memory and
sends each `POST /v1/responses` on to its upstream. Where it differs from OpenAI:

- The upstream receives no `conversation`: its input is the conversation's items and the request's, together.
  So the simulator's journal shows what the model was given, whole.
- A request loads the oldest 100 items of a conversation, OpenAI all of them (or with truncation the newest).
- Deleting an item that does not exist is answered with 200, by OpenAI with 404.
- A conversation takes one request after another; OpenAI refuses the second with `conversation_locked`.
"""

import contextlib
import os
import signal
import subprocess
from typing import Any

import requests

from tests import environment
from tests.rig import BIN, wait_until


class Smg:
    """The server as a process on ports of its own."""

    def __init__(self, *, port: int, metrics_port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self._health_url = f"http://127.0.0.1:{port}/readiness"
        self._command = [
            *(str(BIN / "smg"), "launch", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend", "openai", "--worker-urls", environment.SIMULATOR_URL),
            *("--history-backend", "memory", "--prometheus-port", str(metrics_port)),
            # The service has its own retries and circuit breaker; these would repeat and refuse calls unseen.
            *("--disable-retries", "--disable-circuit-breaker", "--disable-load-monitoring"),
            *("--log-level", "warn"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (environment.DATA_DIR / "log" / "smg.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
        wait_until(self._is_ready, what="SMG")

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(self._health_url, timeout=10).ok
        return False

    def stop(self) -> None:
        """End the process; the conversations are gone with it."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def delete_conversation(self, conversation_id: str) -> None:
        requests.delete(f"{self.base_url}/conversations/{conversation_id}", timeout=60).raise_for_status()

    def items(self, conversation_id: str) -> list[dict[str, Any]]:
        """Return the items of a conversation, oldest first."""
        response = requests.get(
            f"{self.base_url}/conversations/{conversation_id}/items",
            params={"order": "asc", "limit": 100},
            timeout=60,
        )
        response.raise_for_status()
        items: list[dict[str, Any]] = response.json()["data"]
        return items
