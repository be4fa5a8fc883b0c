"""The system as processes, to be started, killed and asked, with a database of its own (`app`)."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import redis
import requests
from psycopg.rows import dict_row

from billing import keys
from config.embedded import programs
from config.lib import crypto
from simulator import identifiers, webhooks
from simulator.webhooks import Customer, Number
from tests import environment

T = TypeVar("T")

BIN = Path(sys.executable).parent
PROJECT = Path(__file__).parent.parent
_PROCFILE = programs.read_procfile(PROJECT / "Procfile")
_WORKERS = ("worker", "extractor", "notifier")
# What the Procfile reads from the environment, for a machine that runs tests beside it.
_ENVIRONMENT = {
    "PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", os.defpath)]),
    "WORKER_CONCURRENCY": "100",
    "EXTRACTOR_CONCURRENCY": "4",
    "NOTIFIER_CONCURRENCY": "4",
    # Else a lead is read of what an earlier test left behind, and takes an answer of a later test's script.
    "EXTRACTION_INTERVAL": "3600000",
}


def _command(role: str, *, name: str = "") -> list[str]:
    """
    Return the Procfile's command of a role; workers have a name, since several run on one machine.

    A process that dies stays dead, so that tests see it, and none waits for the tests themselves.
    """
    more = f" --hostname {name or role}@%h" if role in _WORKERS else ""
    command = _PROCFILE[role].replace(" --respawn-failed-workers", "").replace("nice -n 5 ", "")
    return ["sh", "-c", command + more]


COMMANDS = {
    "simulator": [sys.executable, "-m", "simulator"],
    **{role: _command(role) for role in _PROCFILE},
    # The second of a kind, for tests that need two.
    "worker2": _command("worker", name="worker2"),
    "sweeper2": _command("sweeper"),
    "beat2": [word.replace("beat-schedule", "beat2-schedule") for word in _command("beat")],
}


# Seconds until a wait is given up. A wait that succeeds costs nothing, and a machine may be slow and busy.
PATIENCE = 300.0


def wait_until(look: Callable[[], T], *, seconds: float = PATIENCE, what: str = "") -> T:
    """Look until it is true, and give what was seen."""
    deadline = time.monotonic() + seconds
    while True:
        if seen := look():
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or look}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    with contextlib.suppress(requests.RequestException):
        return requests.get(url, timeout=10).ok
    return False


class Simulator:
    """What tests ask of and tell the simulator."""

    url = environment.SIMULATOR_URL

    def reset(self) -> None:
        requests.post(f"{self.url}/_simulator/reset", timeout=60).raise_for_status()

    def behave(self, **update: object) -> None:
        answer = requests.post(f"{self.url}/_simulator/behaviour", json=update, timeout=60)
        assert answer.ok, answer.text

    def requests(self, **filters: str | int) -> list[dict[str, Any]]:
        answer = requests.get(
            f"{self.url}/_simulator/requests", params={"limit": 50_000, **filters}, timeout=60
        )
        found: list[dict[str, Any]] = answer.json()
        return found

    def is_up(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/_simulator/health", timeout=10).ok
        return False


class Rig:
    """The processes and their database."""

    def __init__(self, servers: Any) -> None:
        self.servers = servers
        self.simulator = Simulator()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._changes: dict[str, dict[str, str]] = {}
        self._migrated = False

    # --- processes

    def start(self, *names: str, **changes: str) -> None:
        """
        Start processes unless they run.

        Changes to their environment last until the end of the test: a process that runs without them is
        started again.
        """
        for name in names:
            self._start(name, changes)
        for name in names:
            self._wait_for(name)

    def _start(self, name: str, changes: dict[str, str]) -> None:
        if self.is_running(name):
            if not changes or self._changes.get(name) == changes:
                return
            self.stop(name)
        log = environment.DATA_DIR / "log" / f"{name}.log"
        environ = {**os.environ, **_ENVIRONMENT, **changes}
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(
                COMMANDS[name], cwd=PROJECT, env=environ, stdout=output, stderr=output,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self._changes[name] = changes

    def _wait_for(self, name: str) -> None:
        if name == "simulator":
            wait_until(self.simulator.is_up, what="the simulator")
        elif name == "webhook":
            wait_until(self.webhook_answers, what="the webhook")
        elif name == "web":
            wait_until(self.web_answers, what="the web process")
        elif name == "live":
            wait_until(self.live_answers, what="the live process")
        # Beat has no heart.
        elif not name.startswith("beat"):
            pid = self._processes[name].pid
            wait_until(
                lambda: self.rows("SELECT 1 FROM heartbeats WHERE instance LIKE %s", f"%:{pid}"),
                what=f"the heartbeat of {name}",
            )

    def webhook_answers(self) -> bool:
        return _answers(f"http://127.0.0.1:{environment.WEBHOOK_PORT}/health/live")

    def web_answers(self) -> bool:
        return _answers(f"{environment.API_URL}/health/live")

    def live_answers(self) -> bool:
        return _answers(f"{environment.LIVE_URL}/health/live")

    def stop(self, name: str) -> None:
        self._end(name, signal.SIGTERM)

    def kill(self, name: str) -> None:
        """Kill as `kill -9` does, children and all."""
        self._end(name, signal.SIGKILL)

    def _end(self, name: str, how: signal.Signals) -> None:
        process = self._processes.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(40)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def restart(self, name: str, **changes: str) -> None:
        self.stop(name)
        self.start(name, **changes)

    def have(self, *names: str, **changes: str) -> None:
        """Have processes run in just this environment: those that do not are killed and started."""
        self.have_each(dict.fromkeys(names, changes))

    def have_each(self, wanted: dict[str, dict[str, str]]) -> None:
        """Have each process run in just the environment that is given with it; all start at the same time."""
        for name, changes in wanted.items():
            if not self.is_running(name) or self._changes.get(name) != changes:
                self.kill(name)
                self._start(name, changes)
        for name in wanted:
            self._wait_for(name)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def is_running(self, name: str) -> bool:
        """Tell whether a process lives; one that is frozen does."""
        return name in self._processes and self._processes[name].poll() is None

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children: freeze it, wake it, ask it to go."""
        os.killpg(self.pid(name), number)

    def wait_for_end(self, name: str, *, seconds: float = PATIENCE) -> int:
        """Wait until a process has ended by itself, and give what it returned (-9: killed)."""
        return self._processes[name].wait(seconds)

    @contextlib.contextmanager
    def supervised(self, *names: str, **changes: str) -> Iterator[list[str]]:
        """Start processes again when they die, as systemd does; what died is in the list, in order."""
        deaths: list[str] = []
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                for name in names:
                    if not self.is_running(name):
                        deaths.append(name)
                        self._start(name, changes)

        watcher = threading.Thread(target=watch, name="supervisor")
        watcher.start()
        try:
            yield deaths
        finally:
            stop.set()
            watcher.join()

    def settle(self) -> None:
        """Put back processes that a test changed, and end those that only some tests need."""
        for name, changes in list(self._changes.items()):
            if changes or name in {"worker2", "sweeper2", "beat2"}:
                self.stop(name)
                del self._changes[name]

    def stop_workers(self) -> None:
        """Stop the processes that take jobs from the queues, or put them there."""
        for name in set(self._processes) - {"simulator", "webhook", "web", "live"}:
            self.stop(name)

    def stop_all(self) -> None:
        for name in list(self._processes):
            self.stop(name)

    def migrate(self) -> None:
        if not self._migrated:
            subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=PROJECT, check=True)
            self._migrated = True

    def forget_redis(self) -> None:
        """Empty Redis, as a restart without persistence does."""
        redis.Redis.from_url(self.servers.redis_url).flushall()

    # --- database

    @contextlib.contextmanager
    def connect(self) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        with psycopg.connect(
            self.servers.database_url.replace("postgres://", "postgresql://"),
            row_factory=dict_row,
            autocommit=True,
        ) as connection:
            yield connection

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        with self.connect() as connection:
            return connection.execute(sql, parameters).fetchall()

    def execute(self, sql: str, *parameters: object) -> None:
        with self.connect() as connection:
            connection.execute(sql, parameters)

    def key(self, user_id: str | None = None) -> str:
        """Make an API key of a user, or of an operator."""
        key = keys.new()
        self.execute(
            "INSERT INTO api_keys (prefix, hashed_key, name, user_id, created_at)"
            " VALUES (%s, %s, 'test', %s, now())",
            *(key.split("_")[1], hashlib.sha256(key.encode()).hexdigest(), user_id),
        )
        return key

    def value(self, sql: str, *parameters: object) -> Any:
        return next(iter(self.rows(sql, *parameters)[0].values()))

    def business(self, **changes: Any) -> "Business":
        return Business.create(self, **changes)


_BUSINESS = """
    WITH u AS (INSERT INTO users VALUES (%(key)s, %(email)s, 'Test', 'UTC', now())),
         c AS (INSERT INTO credits VALUES (%(key)s, %(credits)s, now())),
         e AS (INSERT INTO credit_entries
                      (user_id, kind, amount, reference, reason, balance_after, created_at)
               SELECT %(key)s, 'grant', %(credits)s, %(key)s, '', %(credits)s, now() WHERE %(credits)s > 0),
         n AS (INSERT INTO phone_numbers (phone_number_id, user_id, type, external_number, access_token,
                                          display_name, created_at)
               VALUES (%(number)s, %(key)s, %(type)s, '+12025550100', %(token)s, '', now())),
         p AS (INSERT INTO prompts (prompt_id, user_id, name, current_version, created_at)
               VALUES (%(key)s, %(key)s, 'Test', 1, now())),
         v AS (INSERT INTO prompt_versions (prompt_id, number, instructions, model, parameters, created_at)
               VALUES (%(key)s, 1, 'Be kind.', '', '{}', now()))
    INSERT INTO agents (agent_id, user_id, phone_number_id, prompt_id, name, fallback_message, disclosure,
                        created_at)
    VALUES (%(key)s, %(key)s, %(number)s, %(key)s, 'Test', %(fallback)s, '', now())
"""


@dataclass(frozen=True)
class Business:
    """A user with a WhatsApp number, an agent, a prompt and credits, of its own for each test."""

    rig: Rig
    user_id: str
    phone_number_id: str

    @classmethod
    def create(
        cls,
        rig: Rig,
        *,
        credits: int = 1000,  # noqa: A002
        fallback: str = "Sorry, later.",
        type: str = "whatsapp",  # noqa: A002
        number: str = "",
    ) -> "Business":
        key = uuid.uuid4().hex[:12]
        number = number or str(uuid.uuid4().int)[:15]
        token = crypto.encrypt("token", context=f"phone_numbers:access_token:{number}")
        with rig.connect() as connection, connection.transaction():
            connection.execute(
                _BUSINESS,
                {
                    "key": key,
                    "email": f"{key}@example.com",
                    "number": number,
                    "type": type,
                    "token": token,
                    "credits": credits,
                    "fallback": fallback,
                },
            )
        return cls(rig, key, number)

    @property
    def number(self) -> Number:
        return Number(phone_number_id=self.phone_number_id)

    def body(self, *texts: str, wa_id: str = "12025550143", **more: Any) -> bytes:
        """Build the webhook of one customer who wrote these texts."""
        customer = Customer(wa_id=wa_id)
        return webhooks.encode(webhooks.whatsapp_text(texts, customer=customer, number=self.number, **more))

    def tell(self, *messages: dict[str, Any], wa_id: str | None = "12025550143", **more: Any) -> int:
        """Post messages of any kind, as elements of `messages[]`, of one customer."""
        customer = Customer(wa_id=wa_id, **more)
        return self.post(
            webhooks.encode(webhooks.whatsapp_messages(messages, customer=customer, number=self.number))
        )

    def message(
        self, kind: str, content: object, *, wa_id: str | None = "12025550143", **more: Any
    ) -> dict[str, Any]:
        """Build an element of `messages[]`."""
        customer = Customer(wa_id=wa_id, user_id=more.pop("user_id", None))
        message_id = more.pop("message_id", None) or identifiers.wamid(wa_id or "10000000000")
        return webhooks.whatsapp_message(kind, content, customer=customer, message_id=message_id) | more

    def write_on_instagram(self, *texts: str, sender: str = "8123456789012345") -> int:
        return self.post(
            webhooks.encode(webhooks.instagram_text(texts, sender=sender, account_id=self.phone_number_id))
        )

    def asked(self) -> list[dict[str, Any]]:
        """What the model was asked on this number, in order."""
        turns = {
            turn["turn_id"]
            for turn in self.rig.rows(
                "SELECT turn_id FROM turns WHERE phone_number_id = %s", self.phone_number_id
            )
        }
        asked = self.rig.simulator.requests(api="openai", path="/v1/responses")
        return [request["body"] for request in asked if request["body"]["metadata"].get("turn_id") in turns]

    def post(self, body: bytes) -> int:
        """Post a signed webhook body and give the status of the answer."""
        headers = webhooks.headers(body, "test-app-secret")
        return requests.post(environment.WEBHOOK_URL, data=body, headers=headers, timeout=60).status_code

    def write(self, *texts: str, **more: Any) -> int:
        return self.post(self.body(*texts, **more))

    def post_all(self, bodies: list[bytes], *, parallel: int = 20) -> list[int]:
        with ThreadPoolExecutor(parallel) as pool:
            return list(pool.map(self.post, bodies))

    # --- what became of it

    def sends(self) -> list[dict[str, Any]]:
        """The messages this number posted to Graph, in order, without read marks and typing."""
        posted = self.rig.simulator.requests(api="graph", path=f"{self.phone_number_id}/messages")
        return [request for request in posted if {"text", "message"} & set(request["body"])]

    def replies(self, wa_id: str | None = None) -> list[str]:
        """The texts that were sent, to all or to one customer."""
        return [
            text
            for send in self.sends()
            for text, to in [_text_and_recipient(send["body"])]
            if wa_id is None or to == wa_id
        ]

    def balance(self) -> int:
        return int(self.rig.value("SELECT remaining_credits FROM credits WHERE user_id = %s", self.user_id))

    def count(self, table: str, where: str = "true") -> int:
        return int(
            self.rig.value(
                f"SELECT count(*) FROM {table} WHERE phone_number_id = %s AND {where}", self.phone_number_id
            )
        )

    def messages(self) -> list[dict[str, Any]]:
        return self.rig.rows(
            "SELECT messages.*, conversations.customer_phone FROM messages"
            " JOIN conversations USING (conversation_id) JOIN agents USING (agent_id)"
            " WHERE agents.phone_number_id = %s ORDER BY conversation_id, sequence_no",
            self.phone_number_id,
        )

    def is_quiet(self) -> bool:
        """Tell whether nothing waits and nobody works."""
        return not self.count("inbound_messages", "status IN ('pending', 'processing')") and not self.count(
            "turns", "state IN ('claimed', 'answered')"
        )

    def wait_until_quiet(self) -> None:
        wait_until(self.is_quiet, what="all messages of the number answered")

    def check_ledger(self) -> None:
        """Hold the balance against the ledger."""
        total = self.rig.value("SELECT sum(amount) FROM credit_entries WHERE user_id = %s", self.user_id)
        assert self.balance() == total


def _text_and_recipient(body: dict[str, Any]) -> tuple[str, str]:
    if "message" in body:
        return body["message"]["text"], body["recipient"]["id"]
    return body["text"]["body"], (body.get("to") or body["recipient"]).lstrip("+")
