"""Talking: with the AI, with staff, with pictures."""

import hashlib
import hmac
import time

import pytest
from playwright.sync_api import Request, expect

from channels_app.webchat.sessions import known_visitor_id
from tests.rig import wait_until
from tests.webchat.browser_calls import identity_token
from tests.webchat.shop import SECRET
from tests.widget.talk import (
    answer_as_staff,
    answers,
    bubbles,
    expect_said,
    launcher,
    opened,
    picture,
    png,
    stored,
    visitors,
    wait_until_answered,
    write,
)

pytestmark = pytest.mark.long


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
        expect(page.locator("web-chat .state")).to_have_text("Our team will reply here")
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
        shop.attributes = {"data-user-token": identity_token("ana", SECRET, name="Ana")}
        here = opened(visit())
        write(here, "It is me")
        expect_said(here, "Hello!", "It is me", "Hello Ana.")

        elsewhere = opened(visit())
        expect_said(elsewhere, "Hello!", "It is me", "Hello Ana.")
        shop.attributes = {}
        elsewhere.reload()

        expect_said(elsewhere, "Hello!")

    def test_asks_the_page_for_a_new_token_when_one_has_expired(self, visit, business, shop):
        answers(business, "Hello Ana.")
        shop.attributes = {"data-user-token": identity_token("ana", SECRET, exp=int(time.time()) - 3600)}
        page = visit()
        page.add_init_script(
            """addEventListener("webchat:identity_expired", (event) => {
                event.preventDefault();
                setTimeout(() => WebChat.identify("TOKEN"), 300);
            })""".replace("TOKEN", identity_token("ana", SECRET))
        )
        page.reload()
        opened(page)

        write(page, "It is me")

        expect_said(page, "Hello!", "It is me", "Hello Ana.")
        assert visitors(business) == [known_visitor_id("ana")]

    def test_has_an_anonymous_chat_where_a_token_has_expired_and_the_page_has_no_other(
        self, visit, business, shop
    ):
        answers(business, "Hello.")
        shop.attributes = {"data-user-token": identity_token("ana", SECRET, exp=int(time.time()) - 3600)}
        page = opened(visit())

        write(page, "It is me")

        expect_said(page, "Hello!", "It is me", "Hello.")
        assert [visitor[:4] for visitor in visitors(business)] == ["vis-"]

    def test_knows_a_user_by_a_hash_in_the_grace_period(self, visit, business, shop):
        business.rig.execute(
            "UPDATE web_chats SET identity_hashes_until = now() + interval '1 day'"
            " WHERE phone_number_id = %s",
            business.phone_number_id,
        )
        answers(business, "Hello Ana.")
        proof = hmac.new(SECRET.encode(), b"ana", hashlib.sha256).hexdigest()
        shop.attributes = {"data-user-id": "ana", "data-user-hash": proof}
        page = opened(visit())

        write(page, "It is me")

        expect_said(page, "Hello!", "It is me", "Hello Ana.")
        assert visitors(business) == [known_visitor_id("ana")]

    def test_says_which_picture_is_too_many_and_sends_what_follows(self, visit, business):
        # A reply would allow more pictures.
        business.rig.stop("worker")
        page = opened(visit())
        for _ in range(4):
            page.locator("web-chat input[type=file]").set_input_files(
                {"name": "loaf.png", "mimeType": "image/png", "buffer": png()}
            )
            expect(page.locator("web-chat .preview canvas")).to_be_visible()
            page.press("web-chat textarea", "Enter")
        write(page, "That is all")

        expect(page.locator("web-chat .foot.bad")).to_contain_text("more pictures right now")
        wait_until(lambda: stored(business)[-1:] == ["That is all"])
        business.rig.start("worker")
        wait_until_answered(business)

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
        expect(page.locator("web-chat .foot.bad")).to_contain_text("couldn't answer this")
        business.rig.execute("UPDATE credits SET remaining_credits = 0 WHERE user_id = %s", business.user_id)
        write(page, "And now?")

        expect(page.locator("web-chat .foot.bad").last).to_contain_text("Nobody can reply right now")
