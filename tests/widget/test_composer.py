"""Where the visitor writes: keys, pictures, and what is kept of it."""

import base64
import re

import pytest
from playwright.sync_api import Page, expect

from tests.webchat.browser_calls import identity_token
from tests.webchat.shop import SECRET
from tests.widget.talk import answers, bubbles, expect_said, opened, picture, png, stored, write

pytestmark = pytest.mark.long

# Files come from outside of the page: by the clipboard, or dragged.
GIVE = """([kind, type, content, text]) => {
    const root = document.querySelector("web-chat").shadowRoot;
    const bytes = Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "loaf", { type }));
    if (text) data.setData("text/plain", text);
    const more = { bubbles: true, cancelable: true, composed: true, clipboardData: data, dataTransfer: data };
    return (kind === "paste" ? ["paste"] : ["dragover", "drop"]).map((name) => {
        const event = kind === "paste" ? new ClipboardEvent(name, more) : new DragEvent(name, more);
        return root.querySelector(kind === "paste" ? "textarea" : ".log").dispatchEvent(event);
    });
}"""


def field(page: Page):
    return page.locator("web-chat textarea")


def height(page: Page) -> float:
    return float(field(page).evaluate("one => one.offsetHeight"))


class TestKeys:
    def test_enter_sends_and_shift_enter_begins_a_line(self, visit, business):
        answers(business, "Yes.")
        page = opened(visit())

        page.keyboard.type("one")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("two")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")

        expect_said(page, "Hello!", "one\ntwo", "Yes.")
        assert stored(business) == ["one\ntwo"]

    @pytest.mark.parametrize("state", [{"isComposing": True}, {"keyCode": 229}])
    def test_enter_that_ends_a_composed_word_sends_nothing(self, visit, business, state):
        page = opened(visit())
        field(page).fill("こん")

        field(page).dispatch_event("keydown", {"key": "Enter", **state})

        expect(field(page)).to_have_value("こん")
        expect(bubbles(page, "visitor")).to_have_count(0)

    def test_grow_the_field_up_to_where_it_scrolls(self, visit, business):
        page = opened(visit())
        one = height(page)

        field(page).fill("a\nb\nc")
        three = height(page)
        field(page).fill("a\n" * 40)
        many = height(page)
        field(page).fill("")

        assert one < three < many <= 140
        assert height(page) == one

    def test_a_click_twice_sends_once(self, visit, business):
        answers(business, "Once.")
        page = opened(visit())
        field(page).fill("one")

        page.locator("web-chat .send").dblclick()

        expect_said(page, "Hello!", "one", "Once.")
        assert stored(business) == ["one"]

    def test_what_is_typed_outlives_the_page_and_is_gone_once_sent(self, visit, business):
        answers(business, "Yes?")
        page = opened(visit())
        page.keyboard.type("I was about to")

        page.reload()
        expect(field(page)).to_have_value("I was about to")
        field(page).press("Enter")
        expect_said(page, "Hello!", "I was about to", "Yes?")
        page.reload()

        expect(field(page)).to_have_value("")

    def test_what_is_typed_is_not_the_next_visitors(self, visit, business, shop):
        answers(business, "Hello Ana.")
        page = opened(visit())
        page.evaluate("token => WebChat.identify(token)", identity_token("ana", SECRET))
        write(page, "It is me")
        expect_said(page, "Hello!", "It is me", "Hello Ana.")
        page.keyboard.type("My secret")

        page.evaluate("WebChat.identify(null)")

        expect_said(page, "Hello!")
        expect(field(page)).to_have_value("")


class TestPictures:
    @pytest.mark.parametrize("way", ["paste", "drop"])
    def test_are_taken_as_they_come(self, visit, business, way):
        answers(business, "A fine loaf.")
        page = opened(visit())

        goes_on = page.evaluate(GIVE, [way, "image/png", base64.b64encode(png()).decode()])

        assert not any(goes_on)
        expect(page.locator("web-chat .preview canvas")).to_be_visible()
        picture(page, "preview")
        field(page).press("Enter")
        expect(bubbles(page, "ai").last).to_have_text("A fine loaf.")
        expect(page.locator("web-chat .row.visitor canvas")).to_be_visible()

    def test_of_a_text_are_left_for_the_text(self, visit, business):
        page = opened(visit())

        goes_on = page.evaluate(GIVE, ["paste", "image/png", base64.b64encode(png()).decode(), "A1\tB1"])

        assert goes_on == [True]
        expect(page.locator("web-chat .preview")).to_be_hidden()

    def test_are_all_that_may_be_dropped_and_nothing_leaves_the_page(self, visit, business):
        page = opened(visit())

        goes_on = page.evaluate(GIVE, ["drop", "text/html", base64.b64encode(b"<script>").decode()])

        assert not any(goes_on)
        expect(page.locator("web-chat .notice")).to_contain_text("Pictures must be")
        expect(page.locator("web-chat .panel")).not_to_have_class(re.compile("over"))
