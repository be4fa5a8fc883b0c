"""The phone page as a test holds it: it writes, presses and looks."""

import os
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from tests.documentation import node
from tests.rig import wait_until

# Where to put pictures of the page, for whoever wants to look at them.
PICTURES = os.environ.get("BROWSER_PICTURES", "")


class Phone:
    """The page, and the businesses it writes to."""

    def __init__(self, page: Page, rig) -> None:
        self.page = page
        self.rig = rig
        self.whatsapp = rig.business()
        self.instagram = rig.business(type="instagram")
        self.url = (
            f"{rig.simulator.url}/phone?whatsapp={self.whatsapp.phone_number_id}"
            f"&instagram={self.instagram.phone_number_id}"
        )
        page.goto(self.url)
        expect(page.locator("#chats li").first).to_be_visible()

    def open(self, name: str) -> None:
        self.page.locator("#chats").get_by_role("button", name=name).click()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def write(self, text: str) -> None:
        self.page.fill("#draft", text)
        self.page.press("#draft", "Enter")

    def send(self, what: str, **fields: str) -> None:
        """Press a tile of the sheet behind the plus; a form that opens is filled in and sent."""
        self.press("Send something else")
        self.page.get_by_role("button", name=what, exact=True).click()
        if fields:
            self.fill(**fields)

    def fill(self, **fields: str) -> None:
        for label, value in fields.items():
            field = self.page.locator("#form-fields label", has_text=label.replace("_", " ")).locator(
                "input, textarea, select"
            )
            if field.evaluate("field => field.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        self.page.click("#form-send")

    def pick_file(self, what: str, name: str, mime_type: str, content: bytes) -> None:
        self.press("Send something else")
        with self.page.expect_file_chooser() as chooser:
            self.press(what)
        chooser.value.set_files({"name": name, "mimeType": mime_type, "buffer": content})

    def switch(self, group: str, words: str) -> None:
        """Turn a switch for trouble, and wait until the page has heard that it is turned."""
        fields = self.page.locator("#switches fieldset", has=self.page.get_by_text(group, exact=True))
        fields.get_by_text(words, exact=True).click()
        expect(self.page.locator("#trouble-words")).to_contain_text(words)

    def answer_by_hand(self) -> None:
        self.page.get_by_text("Person at the business", exact=True).click()

    def bubbles(self, side: str):
        return self.page.locator(f"#log .bubble.{side}")

    def menu(self, bubble, choice: str) -> None:
        bubble.hover()
        bubble.locator(".more").click()
        self.press(choice)

    def state(self, bubble):
        return bubble.locator("[data-state]")

    def last_seq(self) -> int:
        url = f"{self.rig.simulator.url}/_simulator/requests/count"
        return int(requests.get(url, timeout=60).json()["last_seq"])

    def met(self, api: str, path: str, since: int, *, status: int | None, note: str = "") -> bool:
        """Tell whether one of the service's calls since then has ended like this."""
        calls = self.rig.simulator.requests(api=api, path=path, since_seq=since)
        return any(call["t_done"] and call["status"] == status and note in call["note"] for call in calls)

    def deliveries(self, business) -> list[str]:
        """How far the service thinks its replies got, in order."""
        rows = self.rig.rows(
            "SELECT deliveries.state FROM deliveries JOIN messages USING (message_id)"
            " JOIN conversations USING (conversation_id) JOIN agents USING (agent_id)"
            " WHERE agents.phone_number_id = %s ORDER BY messages.sequence_no",
            business.phone_number_id,
        )
        return [row["state"] for row in rows]

    def kinds(self, business) -> set[str]:
        """What the service kept of what the phone sent: kinds of messages and of events."""
        rows = self.rig.rows(
            "SELECT kind FROM inbound_messages WHERE phone_number_id = %s"
            " UNION SELECT kind FROM channel_events WHERE phone_number_id = %s",
            *(business.phone_number_id, business.phone_number_id),
        )
        return {row["kind"] for row in rows}

    def wait_for_kinds(self, business, *kinds: str) -> None:
        wait_until(lambda: set(kinds) <= self.kinds(business), what=f"{kinds} at the service")


def look(page: Page, name: str) -> None:
    """Let axe look at the page, and take its picture for whoever wants one."""
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{PICTURES}/{name}.png")
    page.evaluate((node.MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run()")
    serious = [
        (one["id"], place["html"], place["failureSummary"])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for place in one["nodes"]
    ]
    assert serious == [], serious
