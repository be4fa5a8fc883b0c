"""Reading: where the chat scrolls, where the focus goes, what is said to those who hear it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.widget.talk import (
    answer_as_staff,
    answers,
    bubbles,
    expect_said,
    launcher,
    opened,
    picture,
    write,
)

pytestmark = pytest.mark.long

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LONG = "\n\n".join(f"Paragraph {n}" for n in range(40))


def focused(page: Page) -> str:
    """Whatever has the focus, in the chat or on the page."""
    return str(
        page.evaluate(
            "(document.activeElement.shadowRoot?.activeElement ?? document.activeElement).className"
        )
    )


def expect_at_the_end(page: Page) -> None:
    expect(bubbles(page).last).to_be_in_viewport(ratio=0.9)
    expect(page.locator("web-chat .newer")).to_be_hidden()


class TestScrolling:
    @pytest.fixture
    def page(self, visit, business):
        answers(business, LONG)
        page = opened(visit())
        write(page, "Tell me all")
        expect(bubbles(page, "ai").last).to_contain_text("Paragraph 39")
        return page

    def test_shows_a_long_reply_from_its_beginning(self, page):
        last = bubbles(page, "ai").last

        expect(page.locator("web-chat .typing")).to_be_hidden()
        expect(last.locator("p").first).to_be_in_viewport()
        page.locator("web-chat .newer").click()

        expect(last.locator("p").last).to_be_in_viewport()
        expect(page.locator("web-chat .newer")).to_be_hidden()

    def test_leaves_who_reads_above_there_and_counts_what_is_new(self, page, business):
        page.locator("web-chat .log").evaluate("one => { one.scrollTop = 0 }")

        answer_as_staff(business, "one")
        answer_as_staff(business, "two")

        newer = page.locator("web-chat .newer")
        expect(newer).to_have_text("2 new")
        expect(newer).to_have_accessible_name("2 new")
        picture(page, "newer")
        expect(bubbles(page).first).to_be_in_viewport()
        write(page, "I answer")
        expect_at_the_end(page)

    def test_stays_at_the_end_while_the_field_grows(self, page):
        page.locator("web-chat .newer").click()
        expect(page.locator("web-chat .newer")).to_be_hidden()

        page.fill("web-chat textarea", "a\n" * 9)

        expect(page.locator("web-chat time").last).to_be_in_viewport()
        expect(page.locator("web-chat .newer")).to_be_hidden()

    def test_shows_all_that_came_while_it_was_closed_from_its_beginning(self, page, business):
        page.keyboard.press("Escape")
        for n in range(20):
            answer_as_staff(business, f"More {n}")
        expect(page.locator("web-chat .badge")).to_have_text("20")

        launcher(page).click()

        expect(bubbles(page, "staff").first).to_be_in_viewport(ratio=1)
        expect(page.locator("web-chat .newer")).to_be_visible()

    def test_follows_who_reads_the_end(self, page, business):
        page.locator("web-chat .newer").click()
        expect(page.locator("web-chat .newer")).to_be_hidden()

        for n in range(12):
            answer_as_staff(business, f"More {n}")

        expect(bubbles(page).last).to_have_text("More 11")
        expect_at_the_end(page)


class TestFocus:
    def test_goes_back_to_what_opened_the_chat(self, visit, business, shop):
        shop.head = '<button class="help">Help</button>'
        page = visit()
        expect(launcher(page)).to_be_visible()
        page.evaluate("void (document.querySelector('.help').onclick = () => WebChat.open())")

        page.locator(".help").click()
        expect(page.locator("web-chat textarea")).to_be_focused()
        page.keyboard.press("Escape")
        assert focused(page) == "help"
        launcher(page).click()
        expect(page.locator("web-chat textarea")).to_be_focused()
        page.keyboard.press("Escape")

        assert focused(page) == "launcher"

    def test_stays_on_the_page_when_the_page_closes_the_chat(self, visit, business, shop):
        shop.head = '<input class="search">'
        page = opened(visit())
        page.locator(".search").focus()

        page.evaluate("WebChat.close()")

        expect(page.locator("web-chat .panel")).to_be_hidden()
        assert focused(page) == "search"

    def test_stays_on_the_launcher_that_closes_by_escape(self, visit, business):
        page = opened(visit())
        launcher(page).focus()

        page.keyboard.press("Escape")

        expect(page.locator("web-chat .panel")).to_be_hidden()
        assert focused(page) == "launcher"

    def test_stays_in_the_chat_when_its_button_goes_away(self, visit, business):
        answers(business, LONG)
        page = opened(visit())
        write(page, "Tell me all")
        page.locator("web-chat .newer").click()
        expect(page.locator("web-chat .newer")).to_be_hidden()
        assert focused(page) == "log"
        page.context.route(re.compile("/messages$"), lambda route: route.abort())
        write(page, "Are you there?")

        page.locator("web-chat .retry").click()

        assert focused(page) == "log"
        page.keyboard.press("Escape")
        expect(page.locator("web-chat .panel")).to_be_hidden()

    def test_of_a_phone_opens_no_keyboard_and_stays_inside(self, visit, business):
        page = visit(**PHONE)
        launcher(page).tap()
        expect(page.get_by_role("dialog")).to_have_attribute("aria-modal", "true")
        assert focused(page) == "panel"

        for key in ["Shift+Tab", *["Tab"] * 8]:
            page.keyboard.press(key)

            assert page.evaluate("document.activeElement.localName") == "web-chat"

    def test_beside_a_page_is_free_to_leave(self, visit, business):
        page = opened(visit())
        expect(page.get_by_role("dialog")).to_have_attribute("aria-modal", "false")

        seen = set()
        for _ in range(3):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.localName"))

        assert "body" in seen


class TestTimes:
    def test_days_stand_between_what_was_said_on_them(self, visit, business):
        answers(business, "Good night.", "Good morning.")
        page = opened(visit())
        write(page, "Good night")
        expect_said(page, "Hello!", "Good night", "Good night.")
        expect(page.locator("web-chat .day")).to_have_count(0)

        page.clock.install(time=datetime.now(UTC) + timedelta(days=1))
        page.reload()
        expect(page.locator("web-chat .day")).to_have_text(["Yesterday"])
        page.context.set_offline(True)
        write(page, "Good morning")

        expect(page.locator("web-chat .day")).to_have_text(["Yesterday", "Today"])
        picture(page, "days")


class TestHearing:
    def test_what_comes_while_it_is_closed_is_said(self, visit, business):
        page = opened(visit())
        write(page, "Hello?")
        expect(bubbles(page, "ai")).to_have_count(2)
        page.keyboard.press("Escape")

        answer_as_staff(business, "Here I am.")

        expect(page.get_by_role("status").filter(has_text="1 new")).to_be_attached()

    def test_a_launcher_is_called_what_stands_on_it(self, visit, business):
        business.rig.execute(
            "UPDATE web_chats SET launcher_label = 'Ask us' WHERE phone_number_id = %s",
            business.phone_number_id,
        )
        page = visit()

        expect(page.get_by_role("button", name="Ask us", exact=True)).to_be_visible()

    def test_that_a_person_answers_is_said(self, visit, business):
        answers(business, "One moment.")
        page = opened(visit())
        write(page, "A person, please")
        expect_said(page, "Hello!", "A person, please", "One moment.")

        answer_as_staff(business, "Here I am.")

        expect(page.get_by_role("status").filter(has_text="Our team will reply here")).to_be_visible()

    def test_notices_are_there_before_they_speak(self, visit, business):
        page = opened(visit())

        expect(page.locator("web-chat .notice")).to_have_css("display", "block")
        expect(page.locator("web-chat .notice")).to_have_text("")

    def test_text_can_be_selected_on_pages_where_nothing_can(self, visit, business):
        page = opened(visit())
        page.evaluate("document.documentElement.style.userSelect = 'none'")

        expect(bubbles(page).first).to_have_css("user-select", "text")
