import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import openai
import pytest
import requests

from simulator.exchange import Json
from tests import environment
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.rig import PATIENCE, wait_until
from tests.simulator.phone import Phone
from tests.simulator.receiver import Receiver

SECRET = "test-app-secret"
FAST = '{"openai": {"latency": 0}, "graph": {"latency": 0}, "status_delays": [0.05, 0.1, 0.15]}'


class Running:
    """A simulator that really runs, and the webhook it posts to."""

    def __init__(self, url: str, receiver: Receiver):
        self.url = url
        self.receiver = receiver

    def behave(self, **update) -> None:
        answer = requests.post(f"{self.url}/_simulator/behaviour", json=update, timeout=60)
        assert answer.status_code == 200, answer.text

    def journal(self, **filters) -> list[Json]:
        found: list[Json] = requests.get(f"{self.url}/_simulator/requests", params=filters, timeout=60).json()
        return found

    def deliver(self, **order) -> Json:
        answer: Json = requests.post(f"{self.url}/_simulator/deliver", json=order, timeout=60).json()
        return answer

    def send(self, account: str = "109876543210987", **body) -> requests.Response:
        url = f"{self.url}/v22.0/{account}/messages"
        return requests.post(url, json=body, headers={"Authorization": "Bearer token"}, timeout=60)

    def send_text(self, text: str = "Hi", to: str = "+12025550143", **more) -> requests.Response:
        return self.send(messaging_product="whatsapp", to=to, type="text", text={"body": text}, **more)


@pytest.fixture(scope="session")
def _running() -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    receiver = Receiver()
    environment = {
        **os.environ,
        "SIMULATOR_PORT": str(port),
        "SIMULATOR_WEBHOOK_URL": receiver.url,
        "SIMULATOR_BEHAVIOUR": FAST,
        "WEBHOOK_SECRET": f"{SECRET},an-older-secret",
    }
    process = subprocess.Popen([sys.executable, "-m", "simulator"], env=environment, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: _is_up(url), what="the simulator")
        yield Running(url, receiver)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(40)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        receiver.stop()


@pytest.fixture
def simulator(request):
    """The simulator alone, or, for a test with the whole system, the one that system speaks with."""
    if "rig" not in request.fixturenames:
        return request.getfixturevalue("_fresh")
    rig = request.getfixturevalue("_rig")
    rig.start("simulator")
    rig.simulator.reset()
    return rig.simulator


@pytest.fixture
def _fresh(_running: Running) -> Running:
    requests.post(f"{_running.url}/_simulator/reset", timeout=60).raise_for_status()
    _running.receiver.forget()
    return _running


@pytest.fixture
def page(browser):  # noqa: F811
    """A page that has logged no error, opened no dialog and asked no other host when the test ends."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(1000 * PATIENCE)
    faults: list[str] = []
    foreign: list[str] = []
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}") or dialog.dismiss())
    opened.on("request", lambda request: foreign.append(request.url))
    yield opened
    context.close()
    assert faults == []
    assert [url for url in foreign if not url.startswith((environment.SIMULATOR_URL, "blob:"))] == []


@pytest.fixture
def phone(page, rig) -> Phone:
    return Phone(page, rig)


@pytest.fixture
def client(simulator: Running) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{simulator.url}/v1", api_key="sk-test", max_retries=0, timeout=60
    ) as client:
        yield client


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/_simulator/health", timeout=10).status_code == 200
    except requests.RequestException:
        return False
