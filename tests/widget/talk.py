"""What a visitor does and sees, and what the business does meanwhile."""

import os
import zlib
from pathlib import Path

import requests
from playwright.sync_api import Page, expect

from tests import environment
from tests.rig import wait_until

# Where to put pictures of the widget, for whoever wants to look at them.
PICTURES = os.environ.get("BROWSER_PICTURES", "")


def launcher(page: Page):
    return page.locator("web-chat .launcher")


def bubbles(page: Page, who: str = ""):
    return page.locator(f"web-chat .row{f'.{who}' if who else ''} .bubble")


def opened(page: Page) -> Page:
    launcher(page).click()
    expect(page.locator("web-chat textarea")).to_be_editable()
    return page


def write(page: Page, *texts: str) -> None:
    for text in texts:
        page.fill("web-chat textarea", text)
        page.press("web-chat textarea", "Enter")


def expect_said(page: Page, *texts: str) -> None:
    """Expect exactly these messages, in this order."""
    expect(bubbles(page)).to_have_text(list(texts))


def stored(business) -> list[str]:
    """What visitors wrote, as the server has it."""
    sql = "SELECT text FROM inbound_messages WHERE phone_number_id = %s ORDER BY id"
    return [row["text"] for row in business.rig.rows(sql, business.phone_number_id)]


def visitors(business) -> list[str]:
    """Return the ids of the visitors who wrote, as the server has them."""
    sql = "SELECT visitor_id FROM customers WHERE phone_number_id = %s"
    return [row["visitor_id"] for row in business.rig.rows(sql, business.phone_number_id)]


def wait_until_answered(business) -> None:
    """Wait until every message has its reply, so that no reply takes what the next test scripts."""
    sql = "SELECT 1 FROM inbound_messages WHERE phone_number_id = %s AND status IN ('pending', 'processing')"
    wait_until(lambda: not business.rig.rows(sql, business.phone_number_id))


def answers(business, *texts: str) -> None:
    """Have the model answer these, one after the other."""
    business.rig.simulator.behave(openai={"script": [{"text": text} for text in texts]})


def answer_as_staff(business, text: str) -> None:
    conversation = business.rig.value(
        "SELECT conversation_id FROM conversations JOIN agents USING (agent_id) WHERE phone_number_id = %s"
        " ORDER BY conversation_id DESC LIMIT 1",
        business.phone_number_id,
    )
    url = f"{environment.API_URL}/users/{business.user_id}/conversations/{conversation}/messages"
    key = business.rig.key(business.user_id)
    answer = requests.post(url, json={"text": text}, headers={"x-api-key": key}, timeout=60)
    assert answer.status_code == 201, answer.text


def picture(page: Page, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(400)
        page.screenshot(path=f"{PICTURES}/widget-{name}.png")


def png(width: int = 40, height: int = 30) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return len(content).to_bytes(4, "big") + kind + content + check.to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    rows = (b"\x00" + b"\xc9\x80\x3a" * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
