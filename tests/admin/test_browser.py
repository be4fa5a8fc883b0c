"""The admin as people use it, in a real browser: each group signs in and presses its buttons."""

import io
import os
import re
import wave
from pathlib import Path

import pytest
import segno
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from playwright.sync_api import ConsoleMessage, Page, expect

from agents.models import Agent
from billing.models import ApiKey, CreditEntry
from config.admin.buttons import admin_url
from config.lib import redis
from conversations.models import Message
from extraction.models import Extraction
from tests import factories
from tests.admin.conftest import PASSWORD, furnish, staff
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.rig import PATIENCE

pytestmark = pytest.mark.long

# Where to put pictures of the pages, for whoever wants to look at them.
PICTURES = os.environ.get("BROWSER_PICTURES", "")


# Moves to the end of a recording, which asks the server for a range, and returns where that is.
DURATION = """audio => new Promise((resolve, reject) => {
    audio.onerror = () => reject(audio.error.message);
    audio.onloadedmetadata = () => { audio.currentTime = audio.duration; };
    audio.onseeked = () => resolve(audio.currentTime);
    audio.load();
})"""


def qr_code() -> bytes:
    """Return a picture that is large enough to be seen."""
    made = io.BytesIO()
    segno.make("rye bread").save(made, kind="png", scale=8)
    return made.getvalue()


def voice_note() -> bytes:
    """Return two seconds of silence as WAV."""
    made = io.BytesIO()
    with wave.open(made, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(8000)
        recording.writeframes(bytes(2 * 8000 * 2))
    return made.getvalue()


@pytest.fixture
def site(live_server, valkey):
    """The admin with one row of everything, and nobody signed in."""
    staff("sue", "support")
    staff("otto", "operators")
    return live_server


@pytest.fixture
def page(browser, site):  # noqa: F811
    context = browser.new_context(base_url=site.url, viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(1000 * PATIENCE)
    opened = context.new_page()
    faults: list[str] = []

    def note(message: ConsoleMessage) -> None:
        # The pictures of the example data cannot be fetched: no channel has them.
        if message.type == "error" and "/files/" not in message.location["url"]:
            faults.append(message.text)

    opened.on("console", note)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    foreign: list[str] = []
    opened.on(
        "request", lambda request: None if request.url.startswith(site.url) else foreign.append(request.url)
    )
    opened.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}") or dialog.dismiss())
    yield opened
    context.close()
    assert [fault for fault in faults if "favicon" not in fault] == []
    assert [url for url in foreign if not url.startswith("data:")] == []


def sign_in(page: Page, name: str) -> None:
    page.goto("/admin/")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/admin/")


def press(page: Page, row, title: str, **said: str) -> None:
    """Go to a row's page, press a button there, fill in its form and send it."""
    page.goto(admin_url(row))
    button = page.get_by_role("link", name=re.compile(f"{title}$"))
    if not button.count():
        page.locator("[x-ref^=actionDropdown] > a").first.click()
    with page.expect_navigation():
        button.last.click()
    confirm(page, **said)


def confirm(page: Page, **said: str) -> None:
    for name, value in said.items():
        field = page.locator(f"[name={name}]:not([type=hidden])")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    with page.expect_navigation():
        page.locator("form[method=post] button.staff-button").click()


def picture(page: Page, name: str) -> None:
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)
        page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


class TestSupport:
    def test_takes_part_in_a_conversation(self, page):
        house = furnish()
        sign_in(page, "sue")

        page.goto(admin_url(house.talk))
        page.fill(".staff-reply textarea", "We do, on Fridays.")
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".staff-bubble-staff").last).to_contain_text("We do, on Fridays.")
        press(page, house.talk, "Let the AI answer")
        press(page, house.talk, "Pause the AI", reason="on the phone")
        expect(page.locator(".staff-facts")).to_contain_text("on the phone")
        page.locator(".staff-failure a").first.click()
        confirm(page)
        press(page, house.talk, "Close")
        expect(page.locator(".staff-facts")).to_contain_text("ended")
        expect(page.locator(".staff-reply")).to_have_count(0)

        house.inbound.refresh_from_db()
        assert house.inbound.status == "pending"
        assert Message.objects.get(text="We do, on Fridays.").actor == "admin:sue"

    def test_sees_pictures_hears_voice_notes_and_opens_documents(self, page, media_storage):
        house = furnish()
        Message.objects.filter(pk=house.question.pk).update(
            media=[
                {"kind": "image", "name": default_storage.save("1/a.png", ContentFile(qr_code()))},
                {"kind": "voice", "name": default_storage.save("1/b.wav", ContentFile(voice_note())),
                 "transcript": "Two loaves, please."},
                {"kind": "document", "name": default_storage.save("1/c.bin", ContentFile(b"PK")),
                 "filename": "Order list.xlsx"},
                {"kind": "video", "media_id": "1", "missing": "gone"},
            ]
        )  # fmt: skip
        sign_in(page, "sue")

        page.goto(admin_url(house.talk))

        picture_element = page.locator(".staff-file img")
        picture_element.scroll_into_view_if_needed()
        page.wait_for_function("() => document.querySelector('.staff-file img').naturalWidth > 100")
        assert page.locator(".staff-file audio").evaluate(DURATION) == pytest.approx(2, abs=0.1)
        with page.expect_download() as download:
            page.get_by_role("link", name="Order list.xlsx").click()
        assert download.value.suggested_filename == "Order list.xlsx"
        expect(page.locator(".staff-missing")).to_contain_text("Video cannot be shown: it is no longer")
        picture(page, "files")

    def test_corrects_a_lead_and_has_it_read_again(self, page):
        house = furnish(text="Rye bread for the canteen, please: ann@example.com")
        told = {"confidence": 0.9, "messages": [house.question.pk]}
        Extraction.objects.filter(pk=house.lead.pk).update(
            email="ann@example.com",
            fit=3,
            demo_datetime=house.soon,
            demo_source_text="in an hour",
            evidence={"email": told, "fit": told, "demo_datetime": told},
            suggestions={"company": {"value": "Rye Ltd", **told}},
            refused={"phone": "This is not a valid phone number."},
        )
        sign_in(page, "sue")

        page.goto(admin_url(house.talk))
        expect(page.locator("#lead")).to_contain_text("ann@example.com")
        picture(page, "talk-with-lead")
        page.locator("#lead").get_by_role("link", name="What bears it out").click()
        page.wait_for_load_state()
        picture(page, "lead")
        press(page, house.lead, "Correct", company="Ann's Canteen", urgency="3")
        expect(page.locator("#fields")).to_contain_text("staff:sue")
        press(page, house.lead, "Read again")
        expect(page.locator("#readings")).to_contain_text("waiting")
        page.locator("#fields").get_by_role("link", name=house.question.pk).first.click()
        expect(page).to_have_url(re.compile(admin_url(house.question)))
        page.goto("/admin/extraction/extraction/")
        picture(page, "leads")

        house.lead.refresh_from_db()
        assert (house.lead.company, house.lead.urgency) == ("Ann's Canteen", 3)
        assert set(house.lead.corrected) == {"company", "urgency"}

    def test_sees_no_money_and_no_keys(self, page):
        house = furnish()
        sign_in(page, "sue")

        expect(page.get_by_role("link", name="Conversations").first).to_be_visible()
        expect(page.get_by_role("link", name="Credits")).to_have_count(0)
        page.goto(admin_url(house.business))
        expect(page.get_by_role("link", name="Grant credits")).to_have_count(0)

    def test_runs_nothing_a_customer_wrote(self, page):
        hostile = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>"
        house = furnish(name=hostile, text=hostile)
        sign_in(page, "sue")

        page.goto(admin_url(house.talk))
        expect(page.locator(".staff-text").first).to_have_text(hostile)
        page.goto("/admin/conversations/message/")
        page.goto("/admin/channels_app/customer/")


class TestOperators:
    def test_grant_and_adjust_credits(self, page):
        house = furnish()
        sign_in(page, "otto")

        press(page, house.credit, "Grant credits", amount="500", reason="invoice 118")
        press(page, house.credit, "Adjust the balance", amount="-3", reason="mistake")

        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 507
        assert CreditEntry.objects.filter(user=house.business).count() == 3

    def test_enter_credits_once_when_they_press_twice(self, page):
        house = furnish()
        sign_in(page, "otto")

        page.goto(admin_url(house.credit).replace("/change/", "/grant/"))
        page.fill("[name=amount]", "500")
        page.fill("[name=reason]", "invoice 118")
        page.locator("form[method=post] button.staff-button").dblclick()
        page.wait_for_url("**/change/")

        house.credit.refresh_from_db()
        assert house.credit.remaining_credits == 510

    def test_make_and_revoke_a_key(self, page):
        house = furnish()
        sign_in(page, "otto")

        press(page, house.business, "New API key", name="shop")
        expect(page.locator("#secret")).to_contain_text("mcak_")
        picture(page, "key")
        press(page, ApiKey.objects.get(name="shop"), "Revoke")
        page.goto("/admin/billing/apikey/")
        page.get_by_role("link", name="New operator key").last.click()
        confirm(page, name="ops")
        expect(page.locator("#secret")).to_contain_text("mcak_")

        assert ApiKey.objects.get(name="shop").revoked_at is not None

    def test_publish_and_go_back(self, page):
        house = furnish()
        sign_in(page, "otto")

        press(page, house.prompt, "Publish a version", instructions="Be brief.")
        press(page, house.prompt, "Go back to a version", to="1")
        press(page, house.business, "New prompt", name="Other", instructions="Hello.")

        house.prompt.refresh_from_db()
        assert (house.prompt.current_version, house.prompt.versions.count()) == (1, 2)

    def test_look_after_agents_and_numbers(self, page):
        house = furnish()
        other = factories.PhoneNumberFactory(user=house.business)
        sign_in(page, "otto")

        press(page, house.business, "New agent", name="Second", prompt_id=house.prompt.pk)
        agent = Agent.objects.get(name="Second")
        press(page, agent, "Edit", name="Third")
        press(page, agent, "Move to a number", phone_number_id=other.pk)
        press(page, other, "Edit", display_name="Shop", access_token="new-token")
        press(page, agent, "Delete")
        press(page, other, "Delete")
        press(
            page, house.business, "Register a number",
            type="whatsapp", phone_number_id="555000111", external_number="+1", access_token="token",
        )  # fmt: skip
        press(page, house.business, "Edit", company_name="Renamed")

        for row in (agent, other, house.business):
            row.refresh_from_db()
        assert (agent.name, agent.deleted_at is None) == ("Third", False)
        assert (other.display_name, other.deleted_at is None) == ("Shop", False)
        assert house.business.company_name == "Renamed"

    def test_replay(self, page):
        house = furnish()
        sign_in(page, "otto")

        press(page, house.inbound, "Replay")
        press(page, house.letter, "Read again")
        page.goto("/admin/channels_app/inboundmessage/")
        page.get_by_role("link", name="Replay a period").last.click()
        confirm(page, since_0="2026-01-01", since_1="00:00:00", until_0="2099-01-01", until_1="00:00:00")

        house.inbound.refresh_from_db()
        assert house.inbound.status == "pending"


class TestPictures:
    @pytest.mark.skipif(not PICTURES, reason="BROWSER_PICTURES names no folder")
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_are_taken(self, page, theme):
        house = furnish(name="Demo Bakery")
        for number in range(4, 12):
            factories.MessageFactory(
                conversation=house.talk, author="customer" if number % 2 == 0 else "ai",
                status="read" if number % 2 else "delivered", sequence_no=number,
                text="Do you bake rye bread?" if number % 2 == 0 else "Yes! Every Friday.\nOne for you?",
            )  # fmt: skip
        house.talk.handover_at = factories.SENT_AT
        house.talk.save()
        redis.client().flushdb()
        page.emulate_media(color_scheme=theme)
        page.goto("/admin/login/")
        picture(page, f"login-{theme}")
        sign_in(page, "otto")
        picture(page, f"dashboard-{theme}")
        for name, address in {
            "conversation": admin_url(house.talk),
            "conversations": "/admin/conversations/conversation/",
            "messages": "/admin/conversations/message/",
            "credits": admin_url(house.credit),
            "ledger": "/admin/billing/creditentry/",
            "grant": admin_url(house.credit).replace("/change/", "/grant/"),
            "business": admin_url(house.business),
            "keys": "/admin/billing/apikey/",
            "prompt": admin_url(house.prompt),
            "publish": admin_url(house.prompt).replace("/change/", "/publish/"),
            "agent": admin_url(house.agent).replace("/change/", "/change-agent/"),
            "span": "/admin/channels_app/inboundmessage/replay-span/",
            "turn": admin_url(house.turn),
        }.items():
            page.goto(address)
            picture(page, f"{name}-{theme}")
