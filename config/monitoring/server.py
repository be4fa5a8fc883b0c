"""
The HTTP server of one process for those who watch it: on a port of its own, in a thread of its own.

`/metrics` has the metrics of this process, `/metrics/service` the state of the whole service, whichever
process is asked, and `/targets` lists every process for Prometheus. `/health/live` is for orchestrators: it
answers in every role.

There is no password: METRICS_HOST is this machine, or a network of the operator's.
"""

import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

import structlog
from django.db import connection
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from config.lib import errors, heartbeat, metrics
from config.monitoring.service_state import ServiceCollector

log = structlog.get_logger(__name__)

# Processes of one machine that show metrics: so many ports are tried.
MOST_PROCESSES = 100

_service = CollectorRegistry()
_service.register(ServiceCollector())
_REGISTRIES = {"/metrics": metrics.REGISTRY, "/metrics/service": _service}


class _Handler(BaseHTTPRequestHandler):
    """Answers one GET. Slow readers are left after `timeout` seconds."""

    timeout = 10
    server_version = "metrics"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        path = self.path.partition("?")[0]
        if path == "/health/live":
            self._answer(lambda: b'{"status": "ok"}', content_type="application/json")
        elif path == "/targets":
            self._answer(_targets, content_type="application/json")
        elif path in _REGISTRIES:
            encode, content_type = choose_encoder(self.headers.get("accept", ""))
            self._answer(lambda: encode(_REGISTRIES[path]), content_type=content_type)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _answer(self, read: Callable[[], bytes], *, content_type: str) -> None:
        try:
            body = read()
        except Exception as error:  # noqa: BLE001  (whatever it is, Prometheus sees that it failed)
            log.warning("metrics.not_read", reason=errors.summary(error))
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        finally:
            connection.close()
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        """Write no line for each request."""


def _targets() -> bytes:
    """
    Return every process whose metrics can be read.

    https://prometheus.io/docs/prometheus/latest/http_sd/
    """
    match = [
        {"targets": [address], "labels": {"role": role}}
        for role, address in heartbeat.read_metrics_addresses()
    ]
    return json.dumps(match).encode()


def start(*, host: str, first_port: int) -> int | None:
    """Serve on the first free port from `first_port` on, and return it; None if there is none."""
    reason: OSError | None = None
    for port in range(first_port, first_port + MOST_PROCESSES):
        try:
            server = _Server((host, port), _Handler)
        except OSError as error:
            reason = error
            continue
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        log.info("metrics.served", host=host, port=port)
        return port
    log.error("metrics.no_port", host=host, first_port=first_port, reason=str(reason))
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[_Handler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Listen, without asking a name server what this machine is called."""
        TCPServer.server_bind(self)

    def handle_error(self, *_: object) -> None:
        """Leave a client that hangs up alone."""
