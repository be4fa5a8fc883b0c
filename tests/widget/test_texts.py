"""What texts become on the page, hostile ones too."""

import json

import pytest
from playwright.sync_api import Page, expect

from channels_app.webchat import texts
from tests.widget.talk import answers, bubbles, expect_said, opened, picture, write

pytestmark = pytest.mark.long

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script><svg onload=alert(1)>",
    "[click](javascript:alert(1)) [tab](java\tscript:alert(1)) <javascript:alert(1)>",
    "[data](data:text/html,<script>alert(1)</script>) [blob](blob:x) [up](//evil.example) [user](https://a@evil.example)",
    "![picture](https://evil.example/pixel.png) ![svg](data:image/svg+xml,<svg/onload=alert(1)>)",
    "\u202egnihtemos\u202c \u200bzero\u200d \u2066isolated\u2069 \ufeff",
    '`<b>` **<i>x</i>** [<img src=x onerror=alert(1)>](https://shop.example/"onmouseover=alert(1))',
    "{{constructor.constructor('alert(1)')()}} ${alert(1)} &lt;script&gt; \x1b[31m",
]


class TestHostileTexts:
    def test_run_nothing_and_load_nothing(self, visit, business, shop):
        everything = "\n\n".join(HOSTILE)
        word = "w" * 19_000
        answers(business, everything, word)
        page = opened(visit())

        write(page, everything[:4000])
        expect(bubbles(page, "ai").last).to_contain_text("onerror")
        write(page, "a word?")
        expect(bubbles(page, "ai").last).to_contain_text("wwww")
        picture(page, "hostile")

        shadow = page.evaluate(
            """() => {
                const root = document.querySelector("web-chat").shadowRoot;
                const all = [...root.querySelectorAll("*")];
                return {
                    tags: [...new Set(all.map((one) => one.localName))],
                    handlers: all
                        .flatMap((one) => one.getAttributeNames())
                        .filter((name) => /^on|^src/.test(name)),
                    links: [...root.querySelectorAll("a")].map((a) => [a.href, a.rel, a.target]),
                    wide: root.querySelector(".log").scrollWidth > root.querySelector(".log").clientWidth,
                };
            }"""
        )
        assert not {"script", "img", "iframe", "object", "embed", "style", "link"} & set(shadow["tags"])
        assert shadow["handlers"] == []
        assert not shadow["wide"]
        assert {(rel, target) for _, rel, target in shadow["links"]} == {
            ("noopener noreferrer nofollow", "_blank")
        }
        assert [href for href, *_ in shadow["links"]] == [
            "https://evil.example/pixel.png",
            "https://shop.example/%22onmouseover=alert(1)",
        ]

    def test_in_names_and_words_are_text(self, visit, business):
        hostile = "<img src=x onerror=alert(1)>"
        business.rig.execute(
            "UPDATE web_chats SET title = %s, welcome_text = %s, texts = %s WHERE phone_number_id = %s",
            *(hostile, hostile, json.dumps({"ai": hostile, "send": hostile}), business.phone_number_id),
        )

        page = opened(visit())

        expect(page.locator("web-chat h2")).to_have_text(hostile)
        expect_said(page, hostile)


def table(*rows: str) -> str:
    return f'<div class="wide" tabindex="0"><table>{"".join(f"<tr>{row}</tr>" for row in rows)}</table></div>'


MARKDOWN = [
    ("**a** __b__ *c* _d_", "<p><strong>a</strong> <strong>b</strong> <em>c</em> <em>d</em></p>"),
    ("***both***", "<p><em><strong>both</strong></em></p>"),
    ("2 * 3 * 4, snake_case_name, **open, _x", "<p>2 * 3 * 4, snake_case_name, **open, _x</p>"),
    ("`<b> **x**` \\*y\\*", '<p><code dir="ltr">&lt;b&gt; **x**</code> *y*</p>'),
    ("one\ntwo\n\nthree", "<p>one<br>two</p><p>three</p>"),
    ("# Title\ntext", "<p><strong>Title</strong></p><p>text</p>"),
    ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
    ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
    ("```js\n<x>\n```", '<pre dir="ltr" tabindex="0"><code>&lt;x&gt;</code></pre>'),
    ("| a | b |", "<p>| a | b |</p>"),
    ("a | b\n- | -\nc | d", table("<th>a</th><th>b</th>", "<td>c</td><td>d</td>")),
    ("|a|`x`|\n|:-:|--|\n|<b>|1 \\| 2|\nend",
     table('<th>a</th><th><code dir="ltr">x</code></th>', "<td>&lt;b&gt;</td><td>1 | 2</td>") + "<p>end</p>"),
    ("> said\n> - so", "<blockquote><p>said</p><ul><li>so</li></ul></blockquote>"),
    ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    ("a | b\n---", "<p>a | b</p><hr>"),
    *((text, f"<p>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</p>") for text in (
        "[a](javascript:alert(1))", "[a](vbscript:x)", "[a](//x.example)", "[a](/x)", "<javascript:x>",
        "[a](https://a@x.example)", "[a](data:text/html,x)", "<img src=x>", "&lt;b&gt;",
    )),
]  # fmt: skip
LINKS = [
    ("[a](https://x.example/a_(b))", "https://x.example/a_(b)", "a"),
    ("see https://x.example/y?z=1.", "https://x.example/y?z=1", "https://x.example/y?z=1"),
    ("(https://x.example/y)", "https://x.example/y", "https://x.example/y"),
    ("https://x.example/a\u202egpj.b", "https://x.example/a", "https://x.example/a"),
    ("<mailto:a@x.example>", "mailto:a@x.example", "mailto:a@x.example"),
    ("![p](https://x.example/p.png)", "https://x.example/p.png", "p"),
    ("[https://x.example](https://y.example)", "https://y.example/", "https://x.example"),
]


class TestMarkdown:
    @pytest.fixture(scope="class")
    def page(self, browser):
        page = browser.new_page()
        sources = [(texts.WIDGET / f"{part}.js").read_text() for part in ("base", "markdown")]
        page.add_script_tag(content="\n".join(sources))
        yield page
        page.close()

    def made(self, page: Page, text: str) -> str:
        made = "text => { const all = make('div', {}, ...fromMarkdown(text)); return all.innerHTML }"
        return str(page.evaluate(made, text))

    @pytest.mark.parametrize(("text", "html"), MARKDOWN)
    def test_becomes_elements_and_everything_else_text(self, page, text, html):
        assert self.made(page, text) == html

    @pytest.mark.parametrize(("text", "href", "name"), LINKS)
    def test_links_lead_where_they_say(self, page, text, href, name):
        shown = self.made(page, text)

        tail = f'title="{href}" target="_blank" rel="noopener noreferrer nofollow">{name}</a>'
        assert f'<a href="{href}" {tail}' in shown
        assert shown.count("<a ") == 1

    @pytest.mark.parametrize(
        "sign",
        [
            "*a",
            "**a ",
            "_",
            "[",
            "[a](",
            "`",
            "<h",
            "- ",
            "```",
            "\\",
            "![",
            "h",
            "*_",
            "> ",
            "| ",
            "|-\n",
            "a|\n-|\n",
        ],
    )
    def test_of_signs_alone_keeps_nobody_waiting(self, page, sign):
        assert self.made(page, sign * (20_000 // len(sign)))
        assert self.made(page, sign * 50_000)
