"""What leaves the house leaves it through known doors."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.test_rules import modules, name

SPEAK = {
    "aiohttp", "ftplib", "http.client", "httplib2", "httpx", "httpx2", "pycurl", "requests", "smtplib",
    "socket", "telnetlib", "urllib.request", "urllib3", "websocket", "websockets", "xmlrpc",
}  # fmt: skip
# Whoever adds a door here says what keeps others from choosing where it leads.
DOORS = {
    "config/lib/outbound.py": "the one way out: looks at the address, follows no redirect",
    "agents/openai_client.py": "calls OpenAI at the base URL of the settings, and follows no redirect",
    "billing/mail.py": "knows refusals by their type; Django speaks, with the server of the settings",
    "billing/webhooks/addresses.py": "reads addresses as the resolver does, and opens nothing",
    "config/lib/networks.py": "asks name servers for addresses; outbound checks them and connects",
    "config/lib/heartbeat.py": "asks for this machine's name and opens nothing",
    "config/monitoring/server.py": "listens on the port of metrics and opens nothing",
    "config/monitoring/process.py": "asks for this machine's name and opens nothing",
    "config/embedded/ports.py": "looks for free ports of this machine",
    "config/embedded/readiness.py": "asks the processes of this machine whether they answer",
    "config/embedded/supervise.py": "asks the supervisor of this machine's processes",
}
# Stands beside the house, and speaks only with it.
OTHERS = ("simulator/",)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def speaks(path: Path) -> bool:
    return any(found == way or found.startswith(f"{way}.") for found in imported(path) for way in SPEAK)


class TestDoors:
    def test_are_exactly_those_that_are_written_down(self):
        found = {name(path) for path in modules() if speaks(path) and not name(path).startswith(OTHERS)}

        assert found == set(DOORS)
