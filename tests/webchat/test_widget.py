"""The widget in a real browser, on a page of another origin, talking to the real processes."""

import hashlib
import hmac
import json
import os
import re
import zlib
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Dialog, Page, Request, Route, expect

from channels_app.webchat import texts
from tests import environment
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.documentation import node
from tests.rig import wait_until
from tests.webchat.shop import SECRET, Shop, chat_on

# Where to put pictures of the widget, for whoever wants to look at them.
PICTURES = os.environ.get("BROWSER_PICTURES", "")
PROCESSES = ("web", "live", "webhook", "worker", "sweeper")


@pytest.fixture(scope="module")
def shop():
    running = Shop()
    yield running
    running.stop()


@pytest.fixture
def business(rig, shop):
    rig.start(*PROCESSES)
    shop.reports.clear()
    return chat_on(rig, shop)


@pytest.fixture
def visit(browser, business, shop):  # noqa: F811
    """Open the shop as somebody new; whatever goes wrong on the page fails the test."""
    contexts = []
    faults: list[str] = []
    ours = (shop.url, environment.API_URL, environment.LIVE_URL, "data:", "blob:")
    # What cannot be reached, or may not be, the browser writes to the console itself.
    browsers = ("Failed to load resource", "Access to fetch")

    def note(fault: str) -> None:
        faults.append(fault)

    def refuse(dialog: Dialog) -> None:
        note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", refuse)
        page.on(
            "request", lambda asked: None if asked.url.startswith(ours) else note(f"foreign: {asked.url}")
        )
        page.on("console", lambda said: None if said.text.startswith(browsers) else note(said.text))

    def open_(path: str = "/", **more) -> Page:
        context = browser.new_context(base_url=shop.url, **more)
        context.set_default_timeout(20_000)
        context.on("page", watch)
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []
    assert shop.reports == []


def launcher(page: Page):
    return page.locator("web-chat .launcher")


def bubbles(page: Page, who: str = ""):
    return page.locator(f"web-chat .row{f'.{who}' if who else ''} .bubble")


def opened(page: Page) -> Page:
    launcher(page).click()
    expect(page.locator("web-chat textarea")).to_be_focused()
    return page


def write(page: Page, *texts: str) -> None:
    for text in texts:
        page.fill("web-chat textarea", text)
        page.press("web-chat textarea", "Enter")


def expect_said(page: Page, *texts: str) -> None:
    """Expect exactly these messages, in this order."""
    expect(bubbles(page)).to_have_text(list(texts), timeout=40_000)


def stored(business) -> list[str]:
    """What visitors wrote, as the server has it."""
    sql = "SELECT text FROM inbound_messages WHERE phone_number_id = %s ORDER BY id"
    return [row["text"] for row in business.rig.rows(sql, business.phone_number_id)]


def answers(business, *texts: str) -> None:
    """Have the model answer these, one after the other."""
    business.rig.simulator.behave(openai={"script": [{"text": text} for text in texts]})


def answer_as_staff(business, text: str) -> None:
    conversation = business.rig.value(
        "SELECT conversation_id FROM conversations JOIN agents USING (agent_id) WHERE phone_number_id = %s"
        " ORDER BY conversation_id DESC LIMIT 1",
        business.phone_number_id,
    )
    url = f"{environment.API_URL}/users/{business.user_id}/conversations/{conversation}/messages"
    key = business.rig.key(business.user_id)
    answer = requests.post(url, json={"text": text}, headers={"x-api-key": key}, timeout=10)
    assert answer.status_code == 201, answer.text


def picture(page: Page, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/widget-{name}.png")


class TestTalk:
    def test_is_answered_and_still_there_after_a_reload(self, visit, business):
        answers(business, "We **do**.\n\n- rye\n- wheat")
        page = opened(visit())

        write(page, "Do you bake bread?")
        expect(page.locator("web-chat .typing")).to_be_visible()
        expect(bubbles(page, "ai").last).to_contain_text("rye")
        expect(page.locator("web-chat .row.ai .author").last).to_have_text("AI assistant")
        expect(bubbles(page, "ai").last.locator("strong")).to_have_text("do")
        expect(page.locator("web-chat .typing")).to_be_hidden()
        picture(page, "talk")
        page.reload()

        expect(page.locator("web-chat .panel")).to_be_visible()
        expect_said(page, "Hello!", "Do you bake bread?", "We do.ryewheat")
        assert stored(business) == ["Do you bake bread?"]

    def test_shows_what_staff_says_at_once_and_counts_what_is_unread(self, visit, business):
        answers(business, "One moment.")
        page = opened(visit())
        write(page, "A person, please")
        expect_said(page, "Hello!", "A person, please", "One moment.")
        page.keyboard.press("Escape")
        expect(launcher(page)).to_be_focused()
        asked: list[str] = []

        def note(request: Request) -> None:
            asked.append(request.url)

        page.on("request", note)

        answer_as_staff(business, "Here I am.")

        expect(page.locator("web-chat .badge")).to_have_text("1")
        expect(launcher(page)).to_have_attribute("aria-label", "Open the chat, 1 new")
        opened(page)
        expect(page.locator("web-chat .row.staff .author")).to_have_text("Team")
        expect(bubbles(page, "staff")).to_have_text("Here I am.")
        expect(page.locator("web-chat .state")).to_have_text("A person is answering you")
        expect(page.locator("web-chat .badge")).to_be_hidden()
        wait_until(lambda: [m["status"] for m in business.messages() if m["author"] == "staff"] == ["read"])
        # It came by the stream, not by asking.
        assert [url for url in asked if "/messages" in url] == []

    def test_sends_a_picture(self, visit, business, tmp_path):
        answers(business, "A fine loaf.")
        page = opened(visit())

        page.locator("web-chat input[type=file]").set_input_files(
            {"name": "../loaf.png", "mimeType": "image/png", "buffer": png()}
        )
        expect(page.locator("web-chat .preview canvas")).to_be_visible()
        write(page, "What is this?")

        expect_said(page, "Hello!", "What is this?", "A fine loaf.")
        page.reload()
        expect(page.locator("web-chat .picture canvas")).to_have_attribute("width", "40")
        page.locator("web-chat .picture").click()
        expect(page.locator("web-chat .enlarged canvas")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("web-chat .enlarged")).to_have_count(0)
        expect(page.locator("web-chat .panel")).to_be_visible()

    def test_knows_a_user_wherever_they_sign_in(self, visit, business, shop):
        answers(business, "Hello Ana.")
        proof = hmac.new(SECRET.encode(), b"ana", hashlib.sha256).hexdigest()
        shop.attributes = {"data-user-id": "ana", "data-user-hash": proof, "data-user-name": "Ana"}
        here = opened(visit())
        write(here, "It is me")
        expect_said(here, "Hello!", "It is me", "Hello Ana.")

        elsewhere = opened(visit())
        expect_said(elsewhere, "Hello!", "It is me", "Hello Ana.")
        shop.attributes = {}
        elsewhere.reload()

        expect_said(elsewhere, "Hello!")

    def test_works_where_nothing_may_be_kept(self, visit, business):
        answers(business, "I hear you.")
        page = visit()
        page.add_init_script(
            """
            for (const name of ["localStorage", "sessionStorage"]) {
                Object.defineProperty(window, name, { get() { throw new DOMException("no"); } });
            }
            Object.defineProperty(Navigator.prototype, "locks", { value: undefined });
            """
        )
        page.reload()
        opened(page)

        write(page, "Hello?")

        expect_said(page, "Hello!", "Hello?", "I hear you.")

    def test_stands_on_a_page_that_styles_everything(self, visit, business):
        page = visit()
        page.evaluate(
            """() => {
                const sheet = new CSSStyleSheet();
                sheet.replaceSync(`* {
                    display: none !important; font: 40px serif !important; opacity: 0 !important;
                    position: static !important; color: lime !important; pointer-events: none !important
                }`);
                document.adoptedStyleSheets = [sheet];
            }"""
        )
        page.evaluate(
            "() => { document.documentElement.style.setProperty('display', 'block', 'important');"
            " document.documentElement.style.setProperty('opacity', '1', 'important') }"
        )

        opened(page)

        looks = page.locator("web-chat textarea").evaluate(
            "one => [getComputedStyle(one).fontSize, getComputedStyle(one).color]"
        )
        assert looks == ["15px", "rgb(23, 24, 28)"]

    def test_says_politely_that_nobody_can_answer(self, visit, business):
        business.rig.simulator.behave(openai={"script": [{"status": 400}]})
        page = opened(visit())

        write(page, "Hello?")
        expect(page.locator("web-chat .foot.bad")).to_contain_text("could not be answered")
        business.rig.execute("UPDATE credits SET remaining_credits = 0 WHERE user_id = %s", business.user_id)
        write(page, "And now?")

        expect(page.locator("web-chat .foot.bad").last).to_contain_text("nobody can answer right now")


class TestBadLines:
    def test_sends_once_and_in_order_what_was_written_offline(self, visit, business):
        answers(business, "All three.")
        page = opened(visit())
        page.context.set_offline(True)

        write(page, "one", "two", "three")
        expect(page.locator("web-chat .notice")).to_contain_text("offline")
        expect(bubbles(page, "visitor")).to_have_count(3)
        picture(page, "offline")
        assert stored(business) == []
        page.context.set_offline(False)

        expect(bubbles(page, "ai").last).to_have_text("All three.")
        assert stored(business) == ["one", "two", "three"]

    def test_keeps_what_was_not_sent_over_a_reload(self, visit, business):
        answers(business, "There it is.")
        page = opened(visit())
        lost = 0

        def lose(route: Route) -> None:
            nonlocal lost
            lost += 1
            # It reaches the server, and the answer is lost.
            route.fetch()
            route.abort()

        page.context.route(re.compile("/messages$"), lose)
        write(page, "Is anybody there?")
        expect(page.locator("web-chat .retry")).to_be_visible()
        page.context.unroute_all()
        page.reload()

        expect_said(page, "Hello!", "Is anybody there?", "There it is.")
        assert lost
        assert stored(business) == ["Is anybody there?"]

    def test_waits_when_it_was_too_much_at_once(self, visit, business):
        answers(business, "There you are.")
        page = opened(visit())
        cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after"}
        told = {"status": 429, "headers": {**cors, "Retry-After": "2"}, "json": {"code": "throttled"}}
        page.context.route(re.compile("/messages$"), lambda route: route.fulfill(**told), times=1)

        write(page, "Too fast?")
        expect(page.locator("web-chat .notice")).to_contain_text("at once")

        expect_said(page, "Hello!", "Too fast?", "There you are.")
        expect(page.locator("web-chat .notice")).to_be_hidden()

    def test_begins_anew_when_its_session_is_refused(self, visit, business):
        answers(business, "First.", "Second.")
        page = opened(visit())
        write(page, "one")
        expect_said(page, "Hello!", "one", "First.")
        page.evaluate(
            """() => {
                const [key] = Object.keys(localStorage).filter((name) => name.endsWith(":session"));
                const session = JSON.parse(localStorage[key]);
                localStorage[key] = JSON.stringify({ ...session, token: session.token + "x" });
            }"""
        )
        page.reload()

        write(page, "two")

        expect_said(page, "Hello!", "two", "Second.")
        assert stored(business) == ["one", "two"]

    def test_two_tabs_show_the_same_and_send_once(self, visit, business):
        one = opened(visit())
        two = one.context.new_page()
        two.goto("/")
        opened(two)
        answers(business, "Both.")
        one.context.set_offline(True)

        write(one, "from the one")
        write(two, "from the other")
        one.context.set_offline(False)

        for tab in (one, two):
            expect_said(tab, "Hello!", "from the one", "from the other", "Both.")
        assert stored(business) == ["from the one", "from the other"]

    @pytest.mark.parametrize("minutes", [30, 3 * 24 * 60])
    def test_misses_nothing_after_a_sleep(self, visit, business, minutes):
        answers(business, "Good night.")
        page = visit()
        page.clock.install()
        page.reload()
        opened(page)
        write(page, "Good night")
        expect_said(page, "Hello!", "Good night", "Good night.")

        page.context.set_offline(True)
        for n in range(60):
            answer_as_staff(business, f"while you slept {n}")
        page.clock.fast_forward(minutes * 60_000)
        page.context.set_offline(False)

        said = [f"while you slept {n}" for n in range(60)]
        expect_said(page, "Hello!", "Good night", "Good night.", *said)
        page.reload()
        expect(bubbles(page).last).to_have_text("while you slept 59")

    def test_goes_on_after_live_and_redis_died(self, visit, business):
        answers(business, "First.", "Second.", "Third.")
        page = opened(visit())
        write(page, "one")
        expect_said(page, "Hello!", "one", "First.")

        business.rig.kill("live")
        write(page, "two")
        expect_said(page, "Hello!", "one", "First.", "two", "Second.")
        business.rig.start("live")
        business.rig.servers.valkey.kill()
        business.rig.servers.valkey.start()
        write(page, "three")

        expect_said(page, "Hello!", "one", "First.", "two", "Second.", "three", "Third.")
        assert stored(business) == ["one", "two", "three"]


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
        assert {(rel, target) for _, rel, target in shadow["links"]} == {("noopener noreferrer", "_blank")}
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
    ("> said", "<p>&gt; said</p>"),
    *((text, f"<p>{text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')}</p>") for text in (
        "[a](javascript:alert(1))", "[a](vbscript:x)", "[a](//x.example)", "[a](/x)", "<javascript:x>",
        "[a](https://a@x.example)", "[a](data:text/html,x)", "<img src=x>", "&lt;b&gt;",
    )),
]  # fmt: skip
LINKS = [
    ("[a](https://x.example/a_(b))", "https://x.example/a_(b)", "a"),
    ("see https://x.example/y?z=1.", "https://x.example/y?z=1", "https://x.example/y?z=1"),
    ("(https://x.example/y)", "https://x.example/y", "https://x.example/y"),
    ("<mailto:a@x.example>", "mailto:a@x.example", "mailto:a@x.example"),
    ("![p](https://x.example/p.png)", "https://x.example/p.png", "p"),
    ("[https://x.example](https://y.example)", "https://y.example/", "https://x.example"),
]


class TestMarkdown:
    @pytest.fixture(scope="class")
    def page(self, browser):  # noqa: F811
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

        tail = f'title="{href}" target="_blank" rel="noopener noreferrer">{name}</a>'
        assert f'<a href="{href}" {tail}' in shown
        assert shown.count("<a ") == 1

    @pytest.mark.parametrize(
        "sign", ["*a", "**a ", "_", "[", "[a](", "`", "<h", "- ", "```", "\\", "![", "h", "*_"]
    )
    def test_of_signs_alone_keeps_nobody_waiting(self, page, sign):
        assert self.made(page, sign * (20_000 // len(sign)))
        assert self.made(page, sign * 50_000)


class TestPages:
    @pytest.mark.parametrize("look", ["light", "dark", "phone", "rtl"])
    def test_have_nothing_serious_in_the_way_of_anybody(self, visit, business, shop, look):
        answers(business, "We do: see [the list](https://shop.example).\n\n1. `rye`\n2. wheat")
        shop.dir = "rtl" if look == "rtl" else "ltr"
        phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
        page = visit(
            bypass_csp=True,
            color_scheme="dark" if look == "dark" else "light",
            **(phone if look == "phone" else {}),
        )
        opened(page)
        write(page, "Do you bake bread?")
        expect(bubbles(page, "ai").last).to_contain_text("wheat")
        picture(page, look)

        page.evaluate((node.MODULES / "axe-core" / "axe.min.js").read_text())
        found = page.evaluate("() => axe.run()")

        serious = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
        assert [(one["id"], [place["html"] for place in one["nodes"]]) for one in serious] == []

    def test_stay_where_the_business_allows_them(self, visit, business, shop):
        page = visit("/framed")
        frame = page.frame_locator("iframe")

        expect(frame.locator("web-chat textarea")).to_be_visible()
        business.rig.execute(
            "UPDATE web_chats SET allowed_origins = '{}' WHERE phone_number_id = %s", business.phone_number_id
        )
        answer = requests.get(f"{environment.API_URL}/webchat/{business.phone_number_id}", timeout=10)

        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]

    def test_show_nothing_where_they_are_not_allowed(self, visit, business, shop):
        business.rig.execute(
            "UPDATE web_chats SET allowed_origins = '{https://shop.example}' WHERE phone_number_id = %s",
            business.phone_number_id,
        )

        with pytest.raises(AssertionError):
            expect(launcher(visit())).to_be_visible(timeout=1500)


def png(width: int = 40, height: int = 30) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = (b"\x00" + b"\xc9\x80\x3a" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
