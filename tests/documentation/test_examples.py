"""The examples are run as they stand, against the whole system."""

import json
import os
import subprocess
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from channels_app.models import WebChat
from tests import environment
from tests.documentation import node, typescript
from tests.rig import PROJECT

pytestmark = pytest.mark.long

HERE = PROJECT / "tests" / "documentation"
CURL = PROJECT / "documentation" / "examples" / "curl"
# What each says at its end, in order.
SAYS = {
    "agent_management": [
        "Wrote the prompt prm_",
        "Made the agent agt_",
        "It answers on 1",
        "current version is 2.",
        "held on version 1.",
        "The agents of the business:",
        "Examples  1",
    ],
    "phone_number_setup": [
        "Registered 1",
        "cannot be registered a second time",
        "token was replaced",
        "Examples, renewed",
    ],
    "credit_management": [
        "Granted 100",
        "Sent again",
        "cannot grant itself any",
        "grant  100",
    ],
    "message_retrieval": [
        "The customer wrote.",
        "1  customer  delivered  Do you bake rye bread?",
        "2  ai  read",
        "Page 1 has msg_",
        "Page 2 has msg_",
        "silent until 20",
        "The AI answers again.",
        "may be retried: 0.",
    ],
    "lead_export": [
        "The customer wrote in cnv_",
        "It was read: succeeded.",
        "Ada Lovelace  ada@example.com",
        "Corrected: Example Engines.",
        "Exported:",
        "Ada Lovelace  ada@example.com  Example Engines  3",
    ],
}


def left(live) -> dict[str, int]:
    """Count what an example must not leave behind."""
    mine = "user_id = (SELECT user_id FROM users WHERE email = 'examples@example.com')"
    return {
        "numbers": live.rig.value(f"SELECT count(*) FROM phone_numbers WHERE deleted_at IS NULL AND {mine}"),
        "agents": live.rig.value(f"SELECT count(*) FROM agents WHERE deleted_at IS NULL AND {mine}"),
        "keys": live.rig.value(
            f"SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND name = 'examples' AND {mine}"
        ),
    }


class TestCurl:
    def test_has_an_expectation_for_each(self):
        assert set(SAYS) == {path.stem for path in CURL.glob("*.sh")} - {"session"}

    @pytest.mark.parametrize("name", [*SAYS, "credit_management"])
    def test_does_what_it_says_and_leaves_nothing(self, live, name):
        ended = subprocess.run(
            [CURL / f"{name}.sh"],
            env={
                "PATH": os.environ["PATH"],
                "BASE_URL": live.api,
                "SIMULATOR_URL": live.simulator,
                "OPERATOR_KEY": live.operator_key,
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert (ended.returncode, ended.stderr) == (0, "")
        places = [ended.stdout.find(words) for words in SAYS[name]]
        assert -1 not in places, ended.stdout
        assert places == sorted(places)
        assert left(live) == {"numbers": 0, "agents": 0, "keys": 0}

    def test_says_which_key_is_missing(self):
        ended = subprocess.run(
            [CURL / "credit_management.sh"],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            check=False,
        )

        assert ended.returncode != 0
        assert b"OPERATOR_KEY: is missing" in ended.stderr


class TestWebhook:
    def test_takes_what_is_signed_by_hand(self, rig):
        page = (PROJECT / "documentation" / "integrations" / "webhook.md").read_text()
        script = page.partition("```sh\nBODY=")[2].partition("```")[0]

        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"BODY={script}"],
            env={
                "PATH": os.environ["PATH"],
                "WEBHOOK": environment.WEBHOOK_URL,
                "WEBHOOK_SECRET": "test-app-secret",
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert ended.stdout == "200\n", ended.stderr


class TestServerToServer:
    def test_takes_what_is_signed_by_hand(self, rig):
        page = (PROJECT / "documentation" / "integrations" / "webchat.md").read_text()
        script = page.partition("```sh\nBODY=")[2].partition("```")[0]
        chat = WebChat(phone_number_id=f"web_{uuid.uuid4().hex}")
        chat.set_secret("wcs_by_hand")
        rig.business(type="webchat", number=chat.pk)
        rig.execute(
            "INSERT INTO web_chats (phone_number_id, secret, allowed_origins) VALUES (%s, %s, '{}')",
            *(chat.pk, chat.secret),
        )

        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"BODY={script}"],
            env={
                "PATH": os.environ["PATH"],
                "WEBHOOK": environment.WEBHOOK_URL,
                "PHONE_NUMBER_ID": chat.pk,
                "WEBCHAT_SECRET": "wcs_by_hand",
            },
            capture_output=True,
            text=True,
            check=False,
        )

        assert ended.stdout == "200\n", ended.stderr


class Refusing(BaseHTTPRequestHandler):
    """Answers 503, 429 and then 200; below /refused always 422."""

    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append(self.headers["idempotency-key"])
        status = 422 if "refused" in self.path else {1: 503, 2: 429}.get(len(self.asked), 200)
        problem = {
            "type": "",
            "title": "",
            "status": status,
            "code": "refused",
            "detail": "",
            "correlation_id": "c",
        }
        body = json.dumps({"ok": True} if status == 200 else problem).encode()
        self.send_response(status)
        self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


RETRIES = """
import { Api, ProblemError } from "./http.js";
declare const process: { env: Record<string, string> };
const api = new Api({ baseUrl: process.env["BASE_URL"] ?? "", apiKey: "key" });
const ask = (user_id: string, idempotencyKey: string) =>
  api.post("/users/{user_id}/api_keys", { path: { user_id }, body: { name: "a" }, idempotencyKey });
const made = await ask("u/1", "once");
let code = "";
try {
  await ask("refused", "never");
} catch (error) {
  if (error instanceof ProblemError) code = `${error.status} ${error.code}`;
}
console.log(JSON.stringify([made, code]));
"""


class TestTypescript:
    def test_is_strict_and_does_what_it_says(self, live, tmp_path):
        complaints = typescript.compile_to(tmp_path, walk=(HERE / "walk.ts").read_text())
        assert complaints == ""

        ended = subprocess.run(
            [node.node(), tmp_path / "walk.js"],
            env={
                "PATH": os.environ["PATH"],
                "BASE_URL": live.api,
                "SIMULATOR_URL": live.simulator,
                "OPERATOR_KEY": live.operator_key,
                "NUMBER": "155501234567890",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout) == {
            "granted": [10, 10],
            "version": 2,
            "refused": [409, "phone_number_taken"],
            "names": ["c", "b", "Bakery"],
            "said": ["customer", "ai", "staff"],
            "lead": ["succeeded", "Bakers Ltd", True],
            "wasPaused": True,
            "isPaused": False,
            "agent": True,
            "left": 0,
        }

    def test_sends_again_what_was_not_carried_out_and_nothing_else(self, tmp_path):
        assert typescript.compile_to(tmp_path, retries=RETRIES) == ""
        server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
        threading.Thread(target=server.serve_forever, daemon=True).start()

        ended = subprocess.run(
            [node.node(), tmp_path / "retries.js"],
            env={"PATH": os.environ["PATH"], "BASE_URL": f"http://127.0.0.1:{server.server_port}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        server.shutdown()
        server.server_close()
        assert ended.stdout == '[{"ok":true},"422 refused"]\n', ended.stderr
        assert Refusing.asked == ["once", "once", "once", "never"]
