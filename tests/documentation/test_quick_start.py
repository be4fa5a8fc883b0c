"""The quick start is run as it stands: only addresses and the operator's key are put in."""

import json
import re
import subprocess
import uuid

import pytest

from config.docs import markdown
from tests.rig import PROJECT

pytestmark = pytest.mark.long

README = PROJECT / "documentation" / "README.md"


def blocks() -> list[str]:
    """Give the shell blocks below `Quick start` that follow `make run`, in order."""
    text = README.read_text().partition("## Quick start\n")[2].partition("\n## ")[0]
    found = [token.content for token in markdown.parse(text) if token.type == "fence" and token.info == "sh"]
    assert found[0] == "make run\n"
    return found[1:]


def put_in(script: str, **values: str) -> str:
    """Put in what a reader would; each must stand there."""
    for name, value in values.items():
        script, count = re.subn(rf"^{name}=.*$", f"{name}='{value}'", script, flags=re.MULTILINE)
        assert count == 1, name
    return script


class TestQuickStart:
    def test_leads_from_nothing_to_the_reply_on_whatsapp(self, live):
        script = put_in("".join(blocks()), OPERATOR_KEY=live.operator_key, API=live.api)
        assert "http://127.0.0.1:9090/" in script
        script = script.replace("http://127.0.0.1:9090", live.simulator)
        # Other tests make a user of the same example.
        assert "owner@example.com" in script
        script = script.replace("owner@example.com", f"{uuid.uuid4().hex}@example.com")

        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert ended.returncode == 0, ended.stdout + ended.stderr
        # Newest first: the agent's and the customer's.
        said = json.loads(ended.stdout[ended.stdout.rindex('{"data"') :])["data"]
        reply, asked = said
        assert (reply["sender"], reply["status"]) == ("agent", "read")
        assert asked["text"] == "Do you bake rye bread?"
        sent = live.rig.simulator.requests(api="graph", path="106540352242922/messages")
        assert reply["text"] in [request["body"].get("text", {}).get("body") for request in sent]
