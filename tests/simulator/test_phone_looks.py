"""What the phone page is to eyes, ears and fingers: nothing in anybody's way, no script in any word."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.simulator.phone import look

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
HOSTILE = (
    "<img src=x onerror=alert(1)>\"'><script>alert(2)</script><svg onload=alert(3)>"
    "<iframe srcdoc='<script>alert(4)</script>'></iframe>[x](javascript:alert(5)) "
    "\u202eevil\u202c \u200b{{7*7}}"
)


class TestWords:
    def test_are_never_anything_but_text(self, phone):
        phone.rig.simulator.behave(openai={"always": {"text": f"{HOSTILE}{'W' * 2000}"}})
        phone.press("New customer")
        phone.fill(Name=HOSTILE, Phone_number="+1 202 555 0188")
        phone.write(HOSTILE)
        reply = phone.bubbles("business").first
        expect(reply.locator(".words")).to_have_text(f"{HOSTILE}{'W' * 2000}")
        phone.menu(reply, "Reply")
        phone.send("Location", Name=HOSTILE, Address=HOSTILE)
        phone.send("Contact", Name=HOSTILE, Phone=HOSTILE)
        phone.send("Button or list row", Words=HOSTILE[:20], Its_id=HOSTILE)
        phone.pick_file(
            "Document…", f"{HOSTILE.replace('/', '')}.pdf", "text/html", b"<script>alert(6)</script>"
        )
        expect(phone.bubbles("customer")).to_have_count(5)
        phone.page.locator("#requests summary", has_text="The customer writes").click()
        expect(phone.page.locator("#requests pre")).to_contain_text("onerror=alert(1)")
        phone.press("Back to the customers")

        expect(phone.page.locator("#chats b").first).to_have_text(HOSTILE)
        assert (
            phone.page.locator("#log :is(script, iframe, img), #requests :is(script, iframe, img)").count()
            == 0
        )
        assert phone.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def test_are_text_on_instagram_too(self, phone):
        phone.rig.simulator.behave(openai={"always": {"text": HOSTILE}})
        phone.press("Instagram")
        phone.press("New customer")
        phone.fill(Username=HOSTILE)
        phone.send("Story reply", Message=HOSTILE, Address="javascript:alert(7)")

        expect(phone.bubbles("business").locator(".words")).to_have_text(HOSTILE)
        expect(phone.bubbles("customer")).to_contain_text("javascript:alert(7)")
        assert phone.page.locator("#log a").count() == 0


class TestButtons:
    def test_are_each_named_in_a_test(self, phone):
        tests = "".join(file.read_text() for file in [*HERE.glob("test_phone_*.py"), HERE / "phone.py"])

        names = phone.page.locator(":is(button, input:not([type=file])):not(#chats *)").evaluate_all(
            "all => all.map(one => one.ariaLabel || (one.closest('label') || one).textContent.trim())"
        )

        assert len(names) > 50
        assert [name for name in names if name and f'"{name}"' not in tests] == []


class TestKeyboard:
    def test_is_enough_for_a_talk(self, phone):
        page = phone.page
        page.get_by_role("button", name="Lucía Fernández").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#draft")).to_be_focused()
        page.keyboard.type("Hello")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("Anyone?")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Send", exact=True)).to_be_focused()
        page.keyboard.press("Enter")
        expect(phone.bubbles("business")).to_be_visible()

        phone.bubbles("customer").locator(".more").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#actions-sheet")).to_be_visible()
        page.keyboard.press("Escape")
        expect(phone.bubbles("customer").locator(".more")).to_be_focused()

        assert phone.whatsapp.messages()[0]["text"] == "Hello\nAnyone?"


class TestNarrowPage:
    def test_opens_switches_and_what_happens_over_the_phone(self, phone):
        phone.page.set_viewport_size({"width": 390, "height": 800})

        phone.press("What happens")
        expect(phone.page.locator("#happenings")).to_be_visible()
        phone.press("Close what happens")
        phone.press("Trouble")
        phone.switch("Webhooks", "Deliver every webhook twice")
        phone.press("Close the switches")

        expect(phone.page.locator("#switches")).not_to_be_visible()
        expect(phone.page.locator("#happenings")).not_to_be_visible()
        expect(phone.page.locator("#trouble")).to_contain_text("Deliver every webhook twice")
        assert phone.page.evaluate("document.documentElement.scrollWidth") == 390


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_have_nothing_serious_in_the_way_of_anybody(self, phone, scheme):
        page = phone.page
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        look(page, f"list-{scheme}")
        phone.open("Lucía Fernández")
        look(page, f"empty-{scheme}")
        phone.write("Hello! Do you bake rye bread?")
        expect(phone.bubbles("business")).to_have_count(1)
        phone.send("Sample picture")
        phone.send("Sample voice note")
        phone.send("Location", Name="Café Centro")
        expect(phone.bubbles("customer")).to_have_count(4)
        phone.menu(phone.bubbles("business").first, "React with 👍")
        phone.menu(phone.bubbles("business").first, "Reply")
        phone.rig.simulator.behave(openai={"latency": 8})
        phone.write("Two, please")
        expect(page.locator("#typing")).to_have_class(re.compile("is-on"))
        page.locator("#requests summary", has_text="The customer writes").first.click()
        expect(page.locator("#requests pre")).to_be_visible()
        page.locator(".legend summary").click()
        look(page, f"chat-{scheme}")
        phone.press("Send something else")
        look(page, f"attach-{scheme}")
        page.keyboard.press("Escape")
        phone.menu(phone.bubbles("customer").first, "Edit")
        look(page, f"edit-{scheme}")
        page.keyboard.press("Escape")
        phone.switch("Meta", "131047: 24-hour window closed")
        page.set_viewport_size({"width": 390, "height": 800})
        look(page, f"narrow-{scheme}")
        page.set_viewport_size({"width": 900, "height": 800})
        phone.press("What happens")
        look(page, f"drawer-{scheme}")
        phone.press("Close what happens")
        phone.press("Switch it off")
        phone.press("Instagram")
        phone.open("lucia.bakes")
        phone.write("Hi! Is the cake on your story still there?")
        phone.send("Story reply", Message="Is that rye?")
        phone.answer_by_hand()
        phone.write("Ana here: yes!")
        expect(phone.bubbles("person")).to_be_visible()
        look(page, f"instagram-{scheme}")
