"""Bad lines: nothing is lost, nothing is doubled."""

import re

import pytest
import requests
from playwright.sync_api import Route, expect

from tests import environment
from tests.widget.talk import (
    answer_as_staff,
    answers,
    bubbles,
    expect_said,
    opened,
    picture,
    png,
    stored,
    write,
)

pytestmark = pytest.mark.long


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

    def test_sends_a_picture_anew_that_waited_too_long_for_its_message(self, visit, business):
        answers(business, "A fine loaf.")
        page = opened(visit())
        page.context.route(re.compile("/messages$"), lambda route: route.abort())
        loaf = {"name": "loaf.png", "mimeType": "image/png", "buffer": png()}
        page.locator("web-chat input[type=file]").set_input_files(loaf)
        expect(page.locator("web-chat .preview canvas")).to_be_visible()
        write(page, "What is this?")
        expect(page.locator("web-chat .retry")).to_be_visible()
        (purged,) = (environment.DATA_DIR / "media" / business.phone_number_id).iterdir()
        purged.unlink()

        page.context.unroute_all()
        page.locator("web-chat .retry").click()

        expect_said(page, "Hello!", "What is this?", "A fine loaf.")
        page.reload()
        expect(page.locator("web-chat .picture canvas")).to_have_attribute("width", "40")

    def test_waits_when_it_was_too_much_at_once(self, visit, business):
        answers(business, "There you are.")
        page = opened(visit())
        cors = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "retry-after"}
        told = {"status": 429, "headers": {**cors, "Retry-After": "2"}, "json": {"code": "throttled"}}
        page.context.route(re.compile("/messages$"), lambda route: route.fulfill(**told), times=1)

        write(page, "Too fast?")
        expect(page.locator("web-chat .notice")).to_contain_text("sending quickly")

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

    def test_sends_once_what_the_service_had_failed_at(self, visit, business):
        page = opened(visit())
        left = 2

        def fail(route: Route) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                route.continue_()
            elif left == 1:
                route.fulfill(status=500, body="<html>")
            else:
                # Kept, and yet a proxy says that it was not.
                route.fetch()
                route.fulfill(status=502)

        page.context.route(re.compile("/messages$"), fail)
        write(page, "one", "two")

        expect(bubbles(page, "ai").last).to_contain_text("two")
        expect(bubbles(page, "visitor")).to_have_text(["one", "two"])
        assert stored(business) == ["one", "two"]
        business.wait_until_quiet()

    def test_is_as_it_was_after_the_back_button(self, visit, business):
        answers(business, "First.")
        page = opened(visit())
        write(page, "one")
        expect_said(page, "Hello!", "one", "First.")
        page.keyboard.type("unfinished")
        page.goto(f"{environment.API_URL}/health/live")
        answer_as_staff(business, "meanwhile")

        page.go_back()

        expect_said(page, "Hello!", "one", "First.", "meanwhile")
        expect(page.locator("web-chat textarea")).to_have_value("unfinished")
        assert stored(business) == ["one"]

    def test_says_that_a_chat_is_no_more(self, visit, business):
        answers(business, "First.")
        page = opened(visit())
        write(page, "one")
        expect_said(page, "Hello!", "one", "First.")
        number = f"{environment.API_URL}/users/{business.user_id}/phone_numbers/{business.phone_number_id}"
        key = business.rig.key(business.user_id)
        requests.delete(number, headers={"x-api-key": key}, timeout=60).raise_for_status()

        write(page, "two")

        expect(page.locator("web-chat .foot.bad")).to_contain_text("This chat is not available here.")

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
