"""What stands in code blocks can be run, or at least read."""

import json
import re
import subprocess

import pytest
from django.db import connection

from config.docs import markdown
from tests.house.test_rules import files
from tests.rig import PROJECT


def blocks(language: str) -> list:
    return [
        pytest.param(token.content, id=f"{page.relative_to(PROJECT)}:{token.map[0] + 1}")
        for page in sorted(files("*.md"))
        for token in markdown.parse(page.read_text())
        if token.type == "fence" and token.info == language and token.map
    ]


class TestCode:
    @pytest.mark.parametrize("code", blocks("sh"))
    def test_of_the_shell_can_be_read(self, code):
        ended = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)

        assert ended.stderr == ""

    @pytest.mark.parametrize("code", blocks("sh"))
    def test_of_the_shell_sends_json(self, code):
        bodies = re.findall(r"-d '(\{.*?\})'(?=\)|\s|$)", code, re.DOTALL)

        for body in bodies:
            # Between quotes the shell fills something in.
            json.loads(re.sub(r"""'"\$\w+"'""", "x", body))
        assert code.count("-d '") == len(bodies)

    @pytest.mark.parametrize("code", blocks("json"))
    def test_in_json_can_be_read(self, code):
        json.loads(code)

    @pytest.mark.django_db
    @pytest.mark.parametrize("code", blocks("sql"))
    def test_in_sql_can_be_run(self, code):
        with connection.cursor() as cursor:
            for statement in code.split(";"):
                if statement.strip():
                    cursor.execute(f"EXPLAIN {statement}")

    def test_of_the_quick_start_takes_fields_out_of_answers(self):
        readme = (PROJECT / "documentation" / "README.md").read_text()
        function = re.search(r"^field\(\) \{.*?\}$", readme, re.MULTILINE | re.DOTALL)
        assert function
        asked = """printf %s '{"user_id": "usr_1", "api_key": {"key": "mcak_1"}}' | field api_key key"""

        ended = subprocess.run(
            ["bash", "-c", f"{function[0]}\n{asked}"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )

        assert (ended.stdout, ended.stderr) == ("mcak_1\n", "")
