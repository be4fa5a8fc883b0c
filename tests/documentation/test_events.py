"""The page about events: what it says of types is true, and its examples verify what is sent."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest

from billing.models import Event
from billing.webhooks import signing
from config.docs import markdown
from tests.documentation import node
from tests.rig import PROJECT

PAGE = (PROJECT / "documentation" / "integrations" / "events.md").read_text()
BODY = '{"type":"lead.created","data":{"lead":{"name":"Zoë"}}}'.encode()
ID = "evt_01KB2T7M3G5Q8R9S0T1V2W3X4Y"


def example(language: str) -> str:
    (found,) = [
        token.content for token in markdown.parse(PAGE) if token.type == "fence" and token.info == language
    ]
    return found


def in_python(secret: str, headers: dict[str, str], body: bytes, _folder: Path) -> bool:
    names: dict = {}
    exec(example("python"), names)
    return names["verify"](secret, headers, body)


def in_node(secret: str, headers: dict[str, str], body: bytes, folder: Path) -> bool:
    (folder / "verify.mjs").write_text(example("js"))
    (folder / "body").write_bytes(body)
    script = (
        'import { readFileSync } from "node:fs"; import { verify } from "./verify.mjs";'
        f"console.log(verify({json.dumps(secret)}, {json.dumps(headers)}, readFileSync('body')));"
    )
    ended = subprocess.run(
        [node.node(), "--input-type=module", "-e", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return {"true\n": True, "false\n": False}[ended.stdout]


def signed(*secrets: str, at: float | None = None) -> dict[str, str]:
    moment = int(time.time() if at is None else at)
    return signing.headers(event_id=ID, body=BODY, secrets=secrets, timestamp=moment)


@pytest.mark.parametrize("verify", [in_python, in_node])
class TestVerifying:
    def test_takes_what_we_signed(self, verify, tmp_path):
        secret = signing.new_secret()

        assert verify(secret, signed(secret), BODY, tmp_path)

    def test_takes_either_signature_while_a_secret_is_rotated(self, verify, tmp_path):
        new, old = signing.new_secret(), signing.new_secret()
        headers = signed(new, old)

        assert [verify(secret, headers, BODY, tmp_path) for secret in (new, old)] == [True, True]

    def test_refuses_what_somebody_else_signed_or_changed(self, verify, tmp_path):
        secret = signing.new_secret()
        headers = signed(secret)

        found = [
            verify(signing.new_secret(), headers, BODY, tmp_path),
            verify(secret, headers, BODY.replace(b"lead", b"mead", 1), tmp_path),
            verify(secret, headers | {"webhook-id": "evt_other"}, BODY, tmp_path),
            verify(secret, headers | {"webhook-signature": "v1,AAAA v2,x nonsense"}, BODY, tmp_path),
        ]

        assert found == [False] * 4

    @pytest.mark.parametrize("late", [-301, 301])
    def test_refuses_what_is_old_or_of_the_future(self, verify, tmp_path, late):
        secret = signing.new_secret()
        headers = signed(secret, at=time.time() - late * 1.01)

        assert not verify(secret, headers, BODY, tmp_path)

    def test_refuses_a_time_that_is_none(self, verify, tmp_path):
        secret = signing.new_secret()

        assert not verify(secret, signed(secret) | {"webhook-timestamp": "now"}, BODY, tmp_path)


class TestTypes:
    def test_are_all_told(self):
        told = re.findall(r"^### ([a-z]+\.[a-z]+)$", PAGE, re.MULTILINE)

        assert sorted(told) == sorted(Event.Type.values)


class TestOtherLibrary:
    """What a receiver in Node gets from `standardwebhooks`, the standard's own library."""

    SCRIPT = """
        import { readFileSync } from "node:fs";
        import { createRequire } from "node:module";
        const { Webhook } = createRequire(process.argv[1])("standardwebhooks");
        const [secret, headers] = JSON.parse(readFileSync("told.json"));
        try {
            console.log(new Webhook(secret).verify(readFileSync("body", "utf8"), headers).type);
        } catch (error) {
            console.log(error.constructor.name);
        }
    """

    def verify(self, secret: str, headers: dict[str, str], body: bytes, folder: Path) -> str:
        (folder / "told.json").write_text(json.dumps([secret, headers]))
        (folder / "body").write_bytes(body)
        (folder / "verify.mjs").write_text(
            self.SCRIPT.replace("process.argv[1]", json.dumps(str(node.MODULES)))
        )
        ended = subprocess.run(
            [node.node(), "verify.mjs"], cwd=folder, capture_output=True, text=True, check=True
        )
        return ended.stdout.strip()

    def test_takes_what_we_signed(self, tmp_path):
        new, old = signing.new_secret(), signing.new_secret()

        found = [self.verify(secret, signed(new, old), BODY, tmp_path) for secret in (new, old)]

        assert found == ["lead.created", "lead.created"]

    def test_refuses_what_was_changed_or_is_old(self, tmp_path):
        secret = signing.new_secret()

        found = [
            self.verify(secret, signed(secret), BODY + b" ", tmp_path),
            self.verify(secret, signed(secret, at=time.time() - 3600), BODY, tmp_path),
            self.verify(signing.new_secret(), signed(secret), BODY, tmp_path),
        ]

        assert found == ["WebhookVerificationError"] * 3
