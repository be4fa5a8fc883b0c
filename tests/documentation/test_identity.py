"""The code that makes identity tokens in documentation/integrations/webchat.md makes good ones."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from django.utils import timezone

from channels_app.webchat import identities
from channels_app.webchat.identities import User
from config.docs import markdown
from tests.documentation import node
from tests.rig import PROJECT
from tests.webchat.browser_calls import web_chat

pytestmark = pytest.mark.django_db
PAGE = PROJECT / "documentation" / "integrations" / "webchat.md"
USER = User("user-4711/ä", 'Ana "Zoë" Müller')
GIVEN = json.dumps([USER.user_id, USER.name])
PROGRAMS = {
    "python": "import json, sys\n{code}\nprint(identity_token(*json.loads(sys.argv[1])))",
    "js": "{code}\nconsole.log(identityToken(...JSON.parse(process.argv[2])));",
    "php": "<?php\n{code}\necho identity_token(...json_decode($argv[1]));",
}


def example(language: str) -> str:
    """Return the block of a language that makes a token."""
    blocks = [token for token in markdown.parse(PAGE.read_text()) if token.type == "fence"]
    return next(
        block.content
        for block in blocks
        if block.info == language and re.search(r"identity_?token\(", block.content, re.IGNORECASE)
    )


def command(language: str) -> str:
    if language == "js":
        return node.node()
    return sys.executable if language == "python" else shutil.which("php") or ""


class TestExample:
    @pytest.mark.parametrize(("language", "ending"), [("python", "py"), ("js", "mjs"), ("php", "php")])
    def test_makes_a_token_that_is_accepted(self, db, valkey, tmp_path, language, ending):
        program = command(language)
        if not program:
            pytest.skip(f"there is no {language} on this machine")
        chat = web_chat()
        file = tmp_path / f"token.{ending}"
        file.write_text(PROGRAMS[language].replace("{code}", example(language)))

        ended = subprocess.run(
            [program, str(file), GIVEN],
            env={**os.environ, "WEBCHAT_SECRET": chat.new_secret},
            capture_output=True,
            text=True,
            check=True,
        )

        assert identities.verify(ended.stdout.strip(), chat=chat, now=timezone.now()) == USER
