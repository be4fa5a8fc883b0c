"""The pages that the widget stands on: strict ones, old ones, hostile ones."""

import re

import pytest
from playwright.sync_api import Request, Route, expect

from tests import environment
from tests.rig import wait_until
from tests.widget.talk import answers, bubbles, expect_said, launcher, opened, stored, write

pytestmark = pytest.mark.long

INSERT = """(([src, number, type]) => {
    const script = document.createElement("script");
    const policy = trustedTypes.createPolicy(crypto.randomUUID(), { createScriptURL: (url) => url });
    Object.assign(script, { src: policy.createScriptURL(src), type, async: true });
    script.dataset.phoneNumberId = number;
    document.head.append(script);
})"""
# What old libraries do to every page, and what pages do to each other.
HOSTILE = """
    Array.prototype.toJSON = function () { return "[" + this.join() + "]"; };
    Array.prototype.each = function () {};
    Object.prototype.extend = function () {};
    const real = window.fetch;
    window.fetch = async (...given) => await real.apply(window, given);
    window.name = "<img src=x onerror=alert(1)>";
    window.setInterval = new Proxy(window.setInterval, {});
"""
MESSAGES: list[object] = [
    None,
    7,
    "open",
    {"type": "open"},
    {"event": "message", "data": {"text": "<b>x</b>"}},
    [[[]]],
]


class TestEmbedding:
    def test_as_a_module_works_as_well(self, visit, business, shop):
        shop.attributes = {"type": "module"}
        answers(business, "Hello from a module.")
        page = opened(visit())

        write(page, "Hello?")

        expect_said(page, "Hello!", "Hello?", "Hello from a module.")

    @pytest.mark.parametrize("kind", ["text/javascript", "module"])
    def test_twice_or_late_makes_one_widget(self, visit, business, shop, kind):
        shop.policy = shop.policy.replace("trusted-types 'none'", "trusted-types *")
        page = visit()
        expect(launcher(page)).to_be_visible()

        for _ in range(2):
            page.evaluate(INSERT, [f"{environment.API_URL}/widget.js", business.phone_number_id, kind])
            page.wait_for_timeout(200)

        expect(page.locator("web-chat")).to_have_count(1)

    def test_works_on_a_page_whose_base_is_elsewhere(self, visit, business, shop):
        shop.policy = shop.policy.replace("base-uri 'none'", "base-uri https://elsewhere.example")
        shop.head = '<base href="https://elsewhere.example/deep/">'
        answers(business, "Here.")
        page = opened(visit())

        write(page, "Where?")

        expect_said(page, "Hello!", "Where?", "Here.")

    def test_is_not_hidden_by_elements_with_its_names(self, visit, business, shop):
        shop.head = '<a id="WebChat"></a><img name="currentScript" alt=""><form id="web-chat"></form>'

        opened(visit())

    @pytest.mark.parametrize("locale", ["en_US", "not a language", "x"])
    def test_survives_a_language_that_is_none(self, visit, business, shop, locale):
        shop.attributes = {"data-locale": locale}

        opened(visit())

    def test_writes_dates_as_the_page_does(self, visit, business, shop):
        shop.lang = "de"
        answers(business, "Ja.")
        page = opened(visit(locale="en-US"))

        write(page, "Backt ihr?")

        expect(page.locator("web-chat time").last).to_have_text(re.compile(r"^\d\d?:\d\d$"))

    def test_without_a_chat_shows_nothing_and_says_why(self, visit, business, shop, faults):
        shop.number = "web_none"
        page = visit()

        expect(page.locator("web-chat")).to_have_count(0)
        wait_until(lambda: page.wait_for_timeout(50) or faults, what="a word in the console")
        assert (
            f'Web chat "web_none" is not shown: there is none, or its allowed_origins lack {shop.url}.'
            in faults.pop()
        )


class TestHosts:
    def test_that_change_what_everybody_uses_change_nothing(self, visit, business):
        answers(business, "Still **here**.")
        page = visit()
        page.add_init_script(HOSTILE)
        page.reload()
        opened(page)

        write(page, "Hello?")

        expect_said(page, "Hello!", "Hello?", "Still here.")
        page.reload()
        expect_said(page, "Hello!", "Hello?", "Still here.")

    def test_that_send_messages_are_not_listened_to(self, visit, business):
        page = visit("/framed")
        frame = page.frames[1]
        expect(page.frame_locator("iframe").locator("web-chat textarea")).to_be_visible()

        page.evaluate("all => all.forEach((one) => frames[0].postMessage(one, '*'))", MESSAGES)
        page.evaluate("all => all.forEach((one) => postMessage(one, '*'))", MESSAGES)

        assert (
            frame.evaluate("document.querySelector('web-chat').shadowRoot.querySelectorAll('.row').length")
            == 1
        )

    def test_that_write_nonsense_where_the_widget_keeps_things(self, visit, business):
        answers(business, "I see.")
        page = visit()
        prefix = f"webchat:{business.phone_number_id}:"
        nonsense = {
            "log": [[1, None], {"messages": [None], "cursor": ""}, {"messages": "x", "cursor": 1}],
            "session": ["x", 7, {"token": 1}],
            "out:1": [7, {}, {"id": 5, "at": "y"}],
        }

        for n in range(3):
            for name, values in nonsense.items():
                value = values[n % len(values)]
                page.evaluate(
                    "([k, v]) => localStorage.setItem(k, JSON.stringify(v))", [prefix + name, value]
                )
            page.reload()
            expect(launcher(page)).to_be_visible()
        opened(page)
        write(page, "Hello?")

        expect_said(page, "Hello!", "Hello?", "I see.")

    def test_that_may_keep_nothing_have_no_locks_either(self, visit, business):
        answers(business, "I hear you.")
        page = visit()
        page.add_init_script(
            """
            const no = () => { throw new DOMException("denied", "SecurityError"); };
            Object.defineProperty(window, "localStorage", { get: no });
            Object.defineProperty(window, "sessionStorage", { get: no });
            LockManager.prototype.request = async () => no();
            """
        )
        page.reload()
        opened(page)

        write(page, "one", "two")

        expect(bubbles(page, "ai").last).to_have_text("I hear you.")
        assert stored(business) == ["one", "two"]

    def test_in_a_sandbox_say_that_there_is_no_chat(self, visit, business, faults):
        page = visit("/sandboxed")

        expect(page.frame_locator("iframe").locator("[role=alert]")).to_have_text(
            "This chat is not available here."
        )
        assert "its allowed_origins lack null" in faults.pop()

    def test_on_a_clock_that_is_wrong_by_years_begin_one_session(self, visit, business):
        answers(business, "Happy new year.")
        page = visit()
        begun: list[str] = []

        def note(request: Request) -> None:
            begun.extend([request.url] if request.url.endswith("/sessions") else [])

        page.on("request", note)
        page.clock.install(time="2031-01-01T12:00:00")
        page.reload()
        opened(page)

        write(page, "Hello?")
        expect_said(page, "Hello!", "Hello?", "Happy new year.")
        page.reload()

        expect_said(page, "Hello!", "Hello?", "Happy new year.")
        assert len(begun) == 1

    def test_whose_service_is_away_for_a_while_have_the_chat_later(self, visit, business):
        page = visit()
        left = 4

        def fail(route: Route) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                route.continue_()
            else:
                route.fulfill(status=503)

        page.clock.install()
        page.context.route(re.compile("/config$"), fail)
        page.reload()
        for _ in range(200):
            page.wait_for_timeout(150)
            page.clock.fast_forward(30_000)
            if launcher(page).is_visible():
                break

        opened(page)
