"""The widget's file, the chat as a page, and the demo shop, as they are served."""

import gzip
import json
import re
import subprocess

import pytest

from channels_app.webchat import chats, texts
from channels_app.webchat.script import PARTS, script, source, squeezed_code
from tests.documentation import node
from tests.webchat.browser_calls import SHOP

MOST_BYTES = 20_000
# Every name, literal and operator of a program, in order.
TOKENS = """
const ts = require(process.argv[1]);
const tokens = [];
const walk = (node) => {
    if (node.kind !== ts.SyntaxKind.SourceFile) tokens.push([node.kind, node.operator, node.text]);
    ts.forEachChild(node, walk);
};
walk(ts.createSourceFile("a.js", require("fs").readFileSync(0, "utf8"), ts.ScriptTarget.Latest));
console.log(JSON.stringify(tokens));
"""
SOURCES = {path.name: path.read_text() for path in sorted(texts.WIDGET.glob("*.js"))}


class TestScript:
    def test_is_small(self):
        assert len(script().gzipped) <= MOST_BYTES

    def test_is_made_of_all_parts(self):
        assert {f"{part}.js" for part in PARTS} == set(SOURCES)

    def test_keeps_its_types(self):
        ended = node.run("tsc", "--project", texts.WIDGET / "tsconfig.json")

        assert ended.stdout == ""

    def test_says_what_its_parts_say(self):
        said = tokens(source())

        assert len(said) > 10_000
        assert tokens(squeezed_code(source())) == said

    @pytest.mark.parametrize("name", SOURCES)
    def test_makes_nothing_of_text_and_keeps_no_cookies(self, name):
        dangerous = (
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc|cookie\b"
        )

        assert not re.search(dangerous, SOURCES[name])

    @pytest.mark.parametrize("key", sorted(texts.KEYS))
    def test_uses_each_of_its_words(self, key):
        everything = "".join(SOURCES.values())

        assert re.search(rf'words\.{key}\b|WORDS\.{key}\b|"{key}"', everything)

    def test_is_kept_by_browsers_until_it_changes(self, client):
        first = client.get("/widget.js", headers={"Accept-Encoding": "gzip, br"})
        second = client.get(
            "/widget.js", headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]}
        )

        assert gzip.decompress(first.content) == script().plain
        assert first.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert "Accept-Encoding" in first.headers["Vary"]
        assert second.status_code == 304
        assert second.content == b""
        assert client.get("/widget.js").content == script().plain


class TestChatPage:
    def test_may_be_framed_where_the_chat_may_stand(self, client, chat):
        answer = client.get(f"/webchat/{chat.pk}")

        policy = answer.headers["Content-Security-Policy"]
        assert answer.status_code == 200
        assert f"frame-ancestors {SHOP}" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert "X-Frame-Options" not in answer.headers
        assert f'data-phone-number-id="{chat.pk}" data-page' in answer.content.decode()

    def test_is_framed_by_nobody_where_no_page_is_allowed(self, client, chat):
        chats.change(phone_number_id=chat.pk, allowed_origins=[])

        answer = client.get(f"/webchat/{chat.pk}")

        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

    def test_shows_what_it_is_told_as_text(self, client, chat):
        chats.change(phone_number_id=chat.pk, title="</title><script>alert(1)</script>")

        shown = client.get(f"/webchat/{chat.pk}?locale=%22onload=alert(1)").content.decode()

        assert "<script>alert" not in shown
        assert "onload" not in shown

    def test_speaks_the_language_it_is_asked_for(self, client, chat):
        shown = client.get(f"/webchat/{chat.pk}?locale=ar-EG").content.decode()

        assert 'data-locale="ar-EG"' in shown

    @pytest.mark.django_db
    @pytest.mark.parametrize("number", ["web_none", "109876543210987"])
    def test_is_not_there_without_a_chat(self, client, number):
        assert client.get(f"/webchat/{number}").status_code == 404


class TestDemo:
    def test_is_there_in_development_only(self, client, settings):
        settings.APP_ENV = "development"
        there = client.get("/demo")
        settings.APP_ENV = "production"

        assert client.get("/demo").status_code == 404
        assert there.status_code == 200
        assert 'data-phone-number-id="web_demo"' in there.content.decode()

    def test_needs_nothing_that_its_policy_forbids(self, client, settings):
        settings.APP_ENV = "development"

        shown = client.get("/demo").content.decode()

        assert not re.search(r"<[^>]+\s(style|on\w+)=", shown)
        assert "<style" not in shown
        assert not re.search(r'(?:src|<link[^>]+href)="(?:https?:)?//', shown)

    @pytest.mark.parametrize("file", ["demo.css", "chat.css"])
    def test_comes_with_its_files(self, client, file):
        assert client.get(f"/static/webchat/{file}").status_code == 200


def tokens(program: str) -> list[list[object]]:
    command = [node.node(), "-e", TOKENS, str(node.MODULES / "typescript")]
    ended = subprocess.run(command, input=program, capture_output=True, text=True, check=True)
    found: list[list[object]] = json.loads(ended.stdout)
    return found
