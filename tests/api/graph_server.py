"""A Graph API that confirms every number, and counts the transactions that are open while it is called."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import psycopg
from django.db import connection

_OPEN_SQL = """
    SELECT count(*) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
"""


class GraphServer(ThreadingHTTPServer):
    """Serves on a free port of this machine while it is entered."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.open_transactions: list[int] = []
        self.database = {**connection.get_connection_params(), "cursor_factory": psycopg.Cursor}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: GraphServer

    def do_GET(self) -> None:
        with psycopg.connect(**self.server.database, autocommit=True) as opened:
            row = opened.execute(_OPEN_SQL).fetchone()
        assert row is not None
        self.server.open_transactions.append(row[0])
        body = json.dumps({"id": self.path.partition("?")[0].rpartition("/")[2]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
