"""The phone page in a real browser, with the whole system behind it: each of its buttons is pressed."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests import environment
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.rig import wait_until
from tests.simulator.phone import Phone, look

HOSTILE = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
# A microphone that hums, for machines without one.
MICROPHONE = """
navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  const hum = context.createOscillator();
  const out = context.createMediaStreamDestination();
  hum.connect(out);
  hum.start();
  return out.stream;
};
"""


@pytest.fixture
def simulator(_rig):
    """The one the whole system speaks with, in place of this folder's own."""
    _rig.start("simulator")
    _rig.simulator.reset()
    return _rig.simulator


@pytest.fixture
def page(browser):  # noqa: F811
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    faults: list[str] = []
    foreign: list[str] = []
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}") or dialog.dismiss())
    opened.on("request", lambda request: foreign.append(request.url))
    yield opened
    context.close()
    assert faults == []
    assert [url for url in foreign if not url.startswith((environment.SIMULATOR_URL, "blob:"))] == []


@pytest.fixture
def phone(page, rig) -> Phone:
    return Phone(page, rig)


class TestWhatsApp:
    def test_shows_the_reply_with_ticks_and_typing(self, phone):
        phone.rig.simulator.behave(openai={"latency": 1.5})
        phone.open("Lucía Fernández")

        phone.write("Do you bake rye bread?")

        expect(phone.page.locator("#typing")).to_have_class(re.compile("is-on"))
        expect(phone.page.locator("#chat-sub")).to_have_text("typing…")
        expect(phone.state(phone.bubbles("customer"))).to_have_attribute("data-state", "read")
        expect(phone.bubbles("business")).to_contain_text("You wrote")
        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "read")
        expect(phone.page.locator("#typing")).not_to_have_class(re.compile("is-on"))

    def test_sends_a_burst_in_one_webhook(self, phone):
        phone.open("Lucía Fernández")

        phone.send("Burst", Messages="One loaf\nNo, two\nPlease")

        expect(phone.bubbles("customer")).to_have_count(3)
        expect(phone.bubbles("business")).to_contain_text("One loaf / No, two / Please")
        posted = phone.rig.simulator.requests(api="webhook", contains="One loaf")
        assert len(posted[0]["body"]["entry"][0]["changes"][0]["value"]["messages"]) == 3

    def test_sends_what_a_phone_sends(self, phone):
        phone.page.add_init_script(MICROPHONE)
        phone.page.reload()
        phone.open("Lucía Fernández")
        png = requests.get(f"{phone.rig.simulator.url}/phone/sample.png", timeout=5).content

        phone.send("Sample picture")
        phone.pick_file("Picture…", "bread.png", "image/png", png)
        phone.send("Sample voice note")
        phone.press("Record a voice note")
        phone.page.wait_for_timeout(400)
        phone.press("Send the voice note")
        phone.press("Record a voice note")
        phone.page.locator("#drop-recording").click()
        phone.send("Sample document")
        phone.pick_file("Document…", "list.pdf", "application/pdf", b"%PDF-1.4 order")
        phone.send("Location", Name="Café Centro")
        phone.send("Contact", Name="Marta Gil")
        phone.send("Button or list row", Words="Saturday")
        phone.send("Button or list row", What_is_pressed="row", Description="from seven")

        expect(phone.bubbles("customer")).to_have_count(10)
        expect(phone.page.locator("#log img")).to_have_count(2)
        expect(phone.page.locator("#log audio")).to_have_count(2)
        expect(phone.page.locator("#log a.card")).to_contain_text(["sample.pdf", "list.pdf"])
        phone.wait_for_kinds(phone.whatsapp, "image", "voice", "document", "location", "contacts", "choice")
        phone.whatsapp.wait_until_quiet()
        told = phone.rig.rows(
            "SELECT media FROM messages JOIN conversations USING (conversation_id)"
            " JOIN agents USING (agent_id) WHERE agents.phone_number_id = %s"
            " AND author = 'customer' AND media::text LIKE '%%voice%%'",
            phone.whatsapp.phone_number_id,
        )
        assert [bool(row["media"][0].get("transcript")) for row in told] == [True, True]

    def test_does_things_to_messages(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Two loafs")
        own, reply = phone.bubbles("customer").first, phone.bubbles("business").first
        expect(reply).to_be_visible()

        phone.menu(reply, "React with 👍")
        expect(reply.locator(".reactions")).to_have_text("👍")
        phone.menu(reply, "Take 👍 back")
        expect(reply.locator(".reactions")).to_have_count(0)
        phone.menu(own, "Edit")
        phone.fill(Message="Two loaves")
        expect(own).to_contain_text("edited")
        phone.menu(reply, "Reply")
        phone.press("Do not reply to it")
        phone.menu(reply, "Reply")
        phone.write("Really?")
        expect(phone.bubbles("customer").last.locator(".quote")).to_contain_text("You wrote")
        phone.bubbles("customer").last.locator(".quote").click()
        phone.menu(own, "Delete for everyone")
        expect(own).to_contain_text("This message was deleted")

        phone.wait_for_kinds(phone.whatsapp, "reaction", "edit", "revoke")

    def test_answers_as_a_person_from_the_app(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Is anybody there?")
        expect(phone.bubbles("business")).to_have_count(1)

        phone.page.get_by_text("Business's person, from the app").click()
        phone.write("This is Ana, I take over")
        expect(phone.state(phone.bubbles("person"))).to_have_attribute("data-state", "taken")

        phone.wait_for_kinds(phone.whatsapp, "echo")

    def test_presses_what_the_business_offers(self, phone):
        phone.open("Lucía Fernández")
        buttons = {"buttons": [{"type": "reply", "reply": {"id": "sat", "title": "Saturday"}}]}
        rows = {"button": "Loaves", "sections": [{"rows": [{"id": "rye", "title": "Rye"}]}]}
        for kind, action in (("button", buttons), ("list", rows)):
            interactive = {"type": kind, "body": {"text": "Which?"}, "action": action}
            requests.post(
                f"{phone.rig.simulator.url}/v22.0/{phone.whatsapp.phone_number_id}/messages",
                json={
                    "messaging_product": "whatsapp", "to": "+12025550143",
                    "type": "interactive", "interactive": interactive,
                },
                headers={"Authorization": "Bearer token"},
                timeout=5,
            ).raise_for_status()  # fmt: skip

        phone.press("Saturday")
        phone.press("Loaves")
        phone.page.click("#form-send")

        expect(phone.bubbles("customer")).to_contain_text(["Saturday", "Rye"])
        phone.wait_for_kinds(phone.whatsapp, "choice")


class TestInstagram:
    def test_sends_and_does_what_instagram_knows(self, phone):
        phone.press("Instagram")
        phone.open("lucia.bakes")
        phone.write("Hi")
        reply, own = phone.bubbles("business").first, phone.bubbles("customer").first
        expect(reply).to_contain_text("You wrote")
        expect(phone.state(reply)).to_have_attribute("data-state", "read")
        expect(phone.state(own)).to_have_attribute("data-state", "read")

        phone.send("Sample picture")
        phone.send("Quick reply", Payload="BOOK")
        phone.send("Story reply", Message="Is that rye?")
        phone.menu(reply, "React with ❤️")
        phone.menu(own, "Edit")
        phone.fill(Message="Hello")
        expect(own).to_contain_text("Hello")
        phone.menu(own, "Delete for everyone")
        expect(own).to_contain_text("This message was deleted")
        phone.page.get_by_text("Business's person, from the app").click()
        phone.write("Ana here")
        expect(phone.bubbles("person")).to_contain_text("Ana here")

        expect(phone.page.locator("#log img")).to_have_count(1)
        phone.wait_for_kinds(
            phone.instagram, "text", "image", "choice", "story_reply", "reaction", "edit", "revoke", "echo"
        )


class TestCustomers:
    def test_are_added_and_stay_with_their_chats_after_a_reload(self, phone):
        phone.press("New customer")
        phone.fill(Name=HOSTILE, Phone_number="+1 202 555 0188")
        phone.write(HOSTILE)
        expect(phone.bubbles("business")).to_be_visible()

        phone.page.reload()

        expect(phone.bubbles("customer")).to_have_count(1)
        expect(phone.bubbles("customer").locator(".words")).to_have_text(HOSTILE)
        expect(phone.bubbles("business")).to_have_count(1)
        phone.press("Back to the customers")
        expect(phone.page.locator("#chats b").first).to_have_text(HOSTILE)
        phone.press("Instagram")
        phone.press("New customer")
        phone.fill(Username="@marco")
        expect(phone.page.locator("#chat-sub")).to_contain_text("You are marco")


class TestSwitches:
    def test_change_how_the_others_behave(self, phone):
        def behaviour():
            return requests.get(f"{phone.rig.simulator.url}/_simulator/behaviour", timeout=5).json()

        before = behaviour()
        options = {
            "Slow: six seconds an answer": lambda now: now["openai"]["latency"] == 6,
            "500": lambda now: now["openai"]["errors"] == {"500": 1},
            "429": lambda now: now["openai"]["errors"] == {"429": 1},
            "Hangs up": lambda now: now["openai"]["drop"] == 1 and not now["openai"]["errors"],
            "Slow: four seconds a message": lambda now: now["graph"]["latency"] == 4,
            "131047 window": lambda now: now["graph"]["errors"] == {"131047": 1},
            "190 token": lambda now: now["graph"]["errors"] == {"190": 1},
            "Sends, then hangs up": lambda now: now["graph"]["drop_after_accept"] == 1,
            "Every webhook comes twice": lambda now: now["deliver_twice"],
            "No statuses: nothing is sent, delivered or read": lambda now: not now["statuses"],
        }

        for words, is_so in options.items():
            phone.page.locator("#switches").get_by_text(words, exact=True).click()
            wait_until(lambda is_so=is_so: is_so(behaviour()), seconds=5, what=words)
        phone.page.reload()
        expect(phone.page.get_by_label("Every webhook comes twice")).to_be_checked()
        phone.press("All well again")

        wait_until(lambda: behaviour() == before, seconds=5, what="all well again")

    def test_forget_everything(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Hi")
        expect(phone.bubbles("business")).to_be_visible()

        phone.press("Forget everything")

        expect(phone.page.locator("#log .bubble")).to_have_count(0)

    def test_webhooks_twice_are_answered_once(self, phone):
        phone.rig.simulator.behave(deliver_twice=True)
        phone.open("Lucía Fernández")

        phone.write("Only once, please")
        expect(phone.bubbles("business")).to_be_visible()
        phone.whatsapp.wait_until_quiet()

        assert len(phone.whatsapp.replies()) == 1
        assert len(phone.rig.simulator.requests(api="webhook", contains="Only once, please")) == 2


class TestWhatHappens:
    def test_is_listed_opened_filtered_and_cleared(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Do you bake rye bread?")
        listed = phone.page.locator("#requests li")
        expect(listed.filter(has_text="Message read")).to_have_count(1)

        listed.filter(has_text="The model is asked").locator("summary").click()
        expect(listed.locator("pre")).to_contain_text("Do you bake rye bread?")
        expect(listed.locator("dl")).to_contain_text("authorization")
        for name in ("Webhooks", "OpenAI", "Graph"):
            phone.page.locator(".filters").get_by_text(name, exact=True).click()
        expect(listed.locator("visible=true")).to_have_count(0)
        phone.press("Clear")
        expect(listed).to_have_count(0)

    def test_and_the_switches_open_over_a_narrow_page(self, phone):
        phone.page.set_viewport_size({"width": 390, "height": 800})

        phone.press("What happens")
        expect(phone.page.locator("#happenings")).to_be_visible()
        phone.press("Close what happens")
        phone.press("Trouble")
        expect(phone.page.locator("#switches")).to_be_visible()
        phone.press("Close the switches")

        expect(phone.page.locator("#switches")).not_to_be_visible()
        expect(phone.page.locator("#happenings")).not_to_be_visible()


class TestLooks:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_have_nothing_serious_in_the_way_of_anybody(self, phone, scheme):
        page = phone.page
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        look(page, f"list-{scheme}")
        phone.open("Lucía Fernández")
        phone.write("Hello! Do you bake rye bread?")
        expect(phone.bubbles("business")).to_have_count(1)
        phone.send("Sample picture")
        phone.send("Sample voice note")
        phone.send("Location", Name="Café Centro")
        expect(phone.bubbles("customer")).to_have_count(4)
        phone.menu(phone.bubbles("business").first, "React with 👍")
        phone.menu(phone.bubbles("business").first, "Reply")
        phone.rig.simulator.behave(openai={"latency": 3})
        phone.write("Two, please")
        expect(page.locator("#typing")).to_have_class(re.compile("is-on"))
        page.locator("#requests summary", has_text="Customer: text").first.click()
        expect(page.locator("#requests pre")).to_be_visible()
        look(page, f"chat-{scheme}")
        phone.press("Send something else")
        look(page, f"attach-{scheme}")
        page.keyboard.press("Escape")
        phone.menu(phone.bubbles("customer").first, "Edit")
        look(page, f"edit-{scheme}")
        page.keyboard.press("Escape")
        page.locator("#switches").get_by_text("131047 window").click()
        page.set_viewport_size({"width": 390, "height": 800})
        look(page, f"narrow-{scheme}")
        page.set_viewport_size({"width": 900, "height": 800})
        phone.press("What happens")
        look(page, f"drawer-{scheme}")
        phone.press("Close what happens")
        phone.press("Instagram")
        phone.open("lucia.bakes")
        phone.write("Hi! Is the cake on your story still there?")
        phone.send("Story reply", Message="Is that rye?")
        page.get_by_text("Business's person, from the app").click()
        phone.write("Ana here: yes!")
        expect(phone.bubbles("person")).to_be_visible()
        look(page, f"instagram-{scheme}")
