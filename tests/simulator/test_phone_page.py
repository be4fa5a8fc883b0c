"""The phone page in a real browser, with the whole system behind it: each of its buttons is pressed."""

import re

import pytest
import requests
from playwright.sync_api import expect

from tests.rig import wait_until

pytestmark = pytest.mark.long

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


class TestWhatsApp:
    def test_shows_the_reply_with_ticks_and_typing(self, phone):
        phone.rig.simulator.behave(openai={"latency": 6})
        phone.open("Lucía Fernández")

        phone.write("Do you bake rye bread?")

        expect(phone.page.locator("#typing")).to_have_class(re.compile("is-on"))
        expect(phone.page.locator("#chat-sub")).to_have_text("typing…")
        expect(phone.state(phone.bubbles("customer"))).to_have_attribute("data-state", "read")
        expect(phone.bubbles("business")).to_contain_text("You wrote")
        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "read")
        expect(phone.page.locator("#typing")).not_to_have_class(re.compile("is-on"))

    def test_tells_when_the_service_is_away_and_tries_again(self, phone):
        phone.open("Lucía Fernández")
        phone.rig.stop("webhook")

        phone.write("Is anybody there?")
        own = phone.state(phone.bubbles("customer"))
        expect(own).to_have_attribute("data-state", "refused")
        expect(phone.page.locator("#notice")).to_contain_text("does not answer; it is tried again")
        phone.rig.start("webhook")

        expect(phone.bubbles("business")).to_contain_text("Is anybody there?")
        expect(own).to_have_attribute("data-state", "read")
        expect(phone.bubbles("customer").locator(".note")).to_have_count(0)

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
        png = requests.get(f"{phone.rig.simulator.url}/phone/sample.png", timeout=60).content

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

        phone.answer_by_hand()
        phone.write("This is Ana, I take over")
        expect(phone.state(phone.bubbles("person"))).to_have_attribute("data-state", "taken")
        expect(phone.bubbles("person")).to_contain_text("The AI now leaves this customer to people")

        phone.wait_for_kinds(phone.whatsapp, "echo")
        wait_until(lambda: phone.whatsapp.count("customers", "paused_until > now()"))
        phone.page.locator(".as").get_by_text("Customer", exact=True).click()
        phone.write("Thank you, Ana")
        wait_until(lambda: phone.whatsapp.count("inbound_messages") == 2)
        phone.whatsapp.wait_until_quiet()
        assert len(phone.whatsapp.replies()) == 1

    def test_presses_what_the_business_offers(self, phone):
        phone.open("Lucía Fernández")
        buttons = {"buttons": [{"type": "reply", "reply": {"id": "sat", "title": "Saturday"}}]}
        rows = {
            "button": "Loaves",
            "sections": [{"rows": [{"id": "rye", "title": "Rye", "description": "1 kg"}]}],
        }
        for kind, action in (("button", buttons), ("list", rows)):
            interactive = {"type": kind, "body": {"text": "Which?"}, "action": action}
            requests.post(
                f"{phone.rig.simulator.url}/v22.0/{phone.whatsapp.phone_number_id}/messages",
                json={
                    "messaging_product": "whatsapp", "to": "+12025550143",
                    "type": "interactive", "interactive": interactive,
                },
                headers={"Authorization": "Bearer token"},
                timeout=60,
            ).raise_for_status()  # fmt: skip

        phone.press("Saturday")
        phone.press("Loaves")
        phone.press("Rye 1 kg")

        expect(phone.bubbles("customer")).to_contain_text(["Saturday", "Rye"])
        wait_until(lambda: phone.whatsapp.count("inbound_messages", "kind = 'choice'") == 2)


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
        phone.answer_by_hand()
        phone.write("Ana here")
        expect(phone.bubbles("person")).to_contain_text("Ana here")

        expect(phone.page.locator("#log img")).to_have_count(1)
        phone.wait_for_kinds(
            phone.instagram, "text", "image", "choice", "story_reply", "reaction", "edit", "revoke", "echo"
        )


class TestCustomers:
    def test_are_added_and_stay_with_their_chats_after_a_reload(self, phone):
        phone.press("New customer")
        phone.fill(Name="Zoë Ñandú", Phone_number="+1 202 555 0188")
        phone.press("Hi! Do you bake rye bread?")
        expect(phone.bubbles("business")).to_be_visible()

        phone.page.reload()

        expect(phone.bubbles("customer").locator(".words")).to_have_text("Hi! Do you bake rye bread?")
        expect(phone.bubbles("business")).to_have_count(1)
        phone.press("Back to the customers")
        expect(phone.page.locator("#chats b").first).to_have_text("Zoë Ñandú")
        expect(phone.page.get_by_text("Choose a customer and write a message.")).to_be_hidden()
        phone.page.get_by_text("Start here").click()
        expect(phone.page.get_by_text("Choose a customer and write a message.")).to_be_visible()
        [customer] = phone.rig.rows(
            "SELECT name, wa_id FROM customers WHERE phone_number_id = %s", phone.whatsapp.phone_number_id
        )
        assert customer == {"name": "Zoë Ñandú", "wa_id": "12025550188"}

    def test_have_usernames_on_instagram(self, phone):
        phone.press("Instagram")
        phone.press("New customer")
        phone.press("Cancel")
        phone.press("New customer")
        phone.fill(Username="@marco")
        expect(phone.page.locator("#chat-sub")).to_contain_text("You are marco")
        phone.page.get_by_role("button", name="Ana Ruiz").click()

        expect(phone.bubbles("business")).to_be_visible()
        phone.press("WhatsApp")
        expect(phone.page.locator("#list-title")).to_have_text("WhatsApp")
        assert phone.instagram.count("customers", "ig_id <> ''") == 1
