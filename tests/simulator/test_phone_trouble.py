"""The phone page's switches and its list of what happens: what is pressed is felt by the service."""

import pytest
import requests
from playwright.sync_api import expect

from tests.rig import wait_until
from tests.simulator.phone import Phone

pytestmark = pytest.mark.long

# What each switch makes of the service's next call.
OPENAI = {
    "Error 500": {"status": 500},
    "429: too many requests": {"status": 429, "note": "Rate limit"},
    "429: quota used up": {"status": 429, "note": "quota"},
    "Drops the connection": {"status": None, "note": "dropped"},
    "Never answers": {"status": None, "note": "hung"},
}
META = {
    "Error 500": {"status": 500},
    "131056: sending too fast": {"status": 400, "note": "too many messages"},
    "131042: no payment method": {"status": 400, "note": "payment method"},
    "131047: 24-hour window closed": {"status": 400, "note": "24 hours"},
    "Sends, then drops the connection": {"status": None, "note": "dropped"},
    "190: token expired": {"status": 401, "note": "expired"},
}


def open_customer(phone: Phone, number: int) -> None:
    """Open a chat of its own, which waits for no other."""
    phone.press("New customer")
    phone.fill(Name=f"Customer {number}", Phone_number=f"+1 202 555 02{number:02}")


class TestSwitches:
    def test_let_openai_fail_in_every_way(self, phone):
        for number, (words, ending) in enumerate(OPENAI.items()):
            phone.switch("OpenAI", words)
            open_customer(phone, number)
            since = phone.last_seq()
            phone.write("Are you open?")
            wait_until(lambda since=since, ending=ending: phone.met("openai", "/responses", since, **ending))
            phone.press("Back to the customers")

        phone.press("Switch it off")
        expect(phone.page.locator("#trouble")).to_be_hidden()
        phone.open("Lucía Fernández")
        phone.write("And now?")

        expect(phone.bubbles("business")).to_contain_text("And now?")

    def test_let_the_model_answer_badly(self, phone):
        phone.switch("OpenAI", "Half an answer")
        phone.open("Lucía Fernández")
        phone.write("Are you open on Sundays?")
        expect(phone.bubbles("business")).to_contain_text("[simulated")
        expect(phone.bubbles("business")).not_to_contain_text("Sundays")

        phone.switch("OpenAI", "Failed answer")
        phone.write("Are you there?")

        expect(phone.bubbles("business").last).to_contain_text("Sorry, later.")

    def test_refuse_a_prompt_of_the_dashboard(self, phone):
        phone.rig.execute(
            "UPDATE agents SET prompt_id = 'pmpt_123' WHERE phone_number_id = %s",
            phone.whatsapp.phone_number_id,
        )
        phone.switch("OpenAI", "Refuse dashboard prompts")
        phone.open("Lucía Fernández")
        since = phone.last_seq()
        phone.write("Are you open?")

        wait_until(lambda: phone.met("openai", "/responses", since, status=404))
        expect(phone.bubbles("business").last).to_contain_text("Sorry, later.")

    def test_let_meta_refuse_in_every_way(self, phone):
        for number, (words, ending) in enumerate(META.items()):
            phone.switch("Meta", words)
            open_customer(phone, number)
            since = phone.last_seq()
            phone.write("Are you open?")
            wait_until(lambda since=since, ending=ending: phone.met("graph", "/messages", since, **ending))
            phone.press("Back to the customers")

        row = phone.page.locator("#requests li", has_text="Replies").first
        expect(row.locator(".why")).to_have_text("The access token has expired.")

    def test_let_meta_fail_to_deliver(self, phone):
        phone.switch("Meta", "Accepts, then cannot deliver")
        phone.open("Lucía Fernández")
        phone.write("Are you open?")

        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "failed")
        expect(phone.bubbles("business").locator(".note")).to_have_text("Message undeliverable")
        wait_until(lambda: phone.deliveries(phone.whatsapp) == ["failed"])

    def test_make_openai_and_meta_slow(self, phone):
        def calls_under_way(api):
            return [call for call in phone.rig.simulator.requests(api=api) if call["t_done"] is None]

        phone.open("Lucía Fernández")
        phone.switch("Meta", "Slow: four seconds per message")
        phone.switch("OpenAI", "Slow: six seconds per answer")
        phone.write("Are you open?")
        wait_until(lambda: calls_under_way("graph") and calls_under_way("openai"))
        expect(phone.page.locator("#requests .code.open")).to_have_text(["…", "…"])
        phone.press("Reset")

        expect(phone.page.locator("#trouble")).to_be_hidden()

    def test_bring_webhooks_twice_late_and_together(self, phone):
        for words in (
            "Deliver every webhook twice",
            "Batch webhooks for two seconds",
            "Delay and shuffle webhooks",
        ):
            phone.switch("Webhooks", words)
        phone.open("Lucía Fernández")

        phone.write("Only once, please")
        wait_until(lambda: phone.deliveries(phone.whatsapp) == ["read"])

        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "read")
        assert len(phone.whatsapp.replies()) == 1
        assert len(phone.rig.simulator.requests(api="webhook", contains="Only once, please")) == 2

    def test_keep_statuses_back(self, phone):
        phone.switch("Webhooks", "Drop delivery receipts")
        phone.open("Lucía Fernández")
        phone.write("Are you open?")

        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "accepted")
        wait_until(lambda: phone.deliveries(phone.whatsapp) == ["sent"])
        told = phone.rig.simulator.requests(api="webhook", contains=phone.whatsapp.phone_number_id)
        assert len(told) == 1

    def test_stay_on_after_a_reload_until_all_is_well(self, phone):
        url = f"{phone.rig.simulator.url}/_simulator/behaviour"
        before = requests.get(url, timeout=60).json()
        phone.switch("Meta", "190: token expired")
        phone.switch("OpenAI", "Half an answer")
        phone.switch("Webhooks", "Delay and shuffle webhooks")

        phone.page.reload()

        expect(phone.page.locator("#trouble-words")).to_have_text(
            "OpenAI: Half an answer · Meta: 190: token expired · Webhooks: Delay and shuffle webhooks"
        )
        expect(phone.page.get_by_label("Delay and shuffle webhooks")).to_be_checked()
        for group in ("How OpenAI answers", "How Meta answers"):
            phone.page.get_by_role("radiogroup", name=group).get_by_text("Answers", exact=True).click()
        phone.page.get_by_label("Delay and shuffle webhooks").uncheck()
        expect(phone.page.locator("#trouble")).to_be_hidden()
        assert requests.get(url, timeout=60).json() == before

    def test_show_what_somebody_else_has_switched(self, phone):
        phone.rig.simulator.behave(openai={"errors": {"500": 1}})
        expect(phone.page.locator("#trouble-words")).to_have_text("OpenAI: Error 500")

        phone.rig.simulator.behave(openai={"errors": {}})

        expect(phone.page.locator("#trouble")).to_be_hidden()

    def test_forget_everything(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Hi")
        expect(phone.bubbles("business")).to_be_visible()

        phone.press("Forget everything")

        expect(phone.page.locator("#log .bubble")).to_have_count(0)
        assert phone.whatsapp.count("inbound_messages") == 1


class TestWhatHappens:
    def test_is_told_opened_filtered_and_cleared(self, phone):
        phone.open("Lucía Fernández")
        phone.write("Do you bake rye bread?")
        listed = phone.page.locator("#requests li")
        expect(phone.state(phone.bubbles("business"))).to_have_attribute("data-state", "read")
        told = iter(listed.locator(".what").all_inner_texts()[::-1])
        story = [
            "Meta → service\nThe customer writes: “Do you bake rye bread?”",
            "Service → OpenAI\nAsks the model",
            'Service → Meta\nReplies: “[simulated reply] You wrote: "Do you bake rye bread?"”',
            *(
                f"Meta → service\nThe business's message is {state}"
                for state in ("sent", "delivered", "read")
            ),
        ]
        # In this order; between them may stand what was told of an earlier message.
        assert all(line in told for line in story)

        webhook = listed.filter(has_text="The customer writes")
        webhook.locator("summary").click()
        expect(webhook).to_contain_text("The service checks the signature")
        expect(webhook.locator("pre")).to_contain_text(phone.whatsapp.phone_number_id)
        expect(webhook.locator("dl")).to_contain_text("x-hub-signature-256")
        for name in ("Meta → service", "Service → OpenAI", "Service → Meta"):
            phone.page.locator(".filters").get_by_text(name, exact=True).click()
        expect(listed.locator("visible=true")).to_have_count(0)
        phone.press("Clear")
        expect(listed).to_have_count(0)
        assert phone.rig.simulator.requests() == []
