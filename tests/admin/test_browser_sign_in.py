"""Signing in with a second factor as people do it, in a real browser: wide and narrow, light and dark."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from config.admin import attempts
from tests.admin.authenticator import code_for, secret_on
from tests.admin.conftest import PASSWORD, staff
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.documentation import node
from tests.rig import PATIENCE

pytestmark = pytest.mark.long

PICTURES = os.environ.get("BROWSER_PICTURES", "")
LOOKS = {
    "light": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1400, "height": 1000}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "has_touch": True},
}
# The theme's: its layout has no main landmark.
OF_THE_THEME = {"landmark-one-main", "region"}


@pytest.fixture
def site(live_server, valkey, settings):
    settings.ADMIN_SECOND_FACTOR = "required"
    attempts._in_process.cache_clear()
    staff("sue", "support")
    return live_server


@pytest.fixture(params=LOOKS)
def page(request, browser, site):  # noqa: F811
    context = browser.new_context(base_url=site.url, **LOOKS[request.param])
    context.set_default_timeout(1000 * PATIENCE)
    opened = context.new_page()
    opened.look = request.param
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda message: faults.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield opened
    context.close()
    assert faults == []


def look_at(page: Page, name: str) -> None:
    """Check a page for its accessibility and for being too wide, and take a picture where one is wanted."""
    page.wait_for_load_state()
    if PICTURES:
        Path(PICTURES).mkdir(parents=True, exist_ok=True)
        page.wait_for_timeout(300)
        page.screenshot(path=f"{PICTURES}/{name}-{page.look}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} is too wide"
    page.evaluate((node.MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run()")
    wrong = [(one["id"], [place["html"] for place in one["nodes"]]) for one in found["violations"]
             if one["id"] not in OF_THE_THEME]  # fmt: skip
    assert wrong == [], name


def test_second_factor_is_set_up_and_asked_for(page):
    page.goto("/admin/")
    page.fill("input[name=username]", "sue")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/second-factor/set-up/**")
    qr_code = page.get_by_alt_text("QR code with the secret that is written below")
    assert qr_code.evaluate("image => image.decode().then(() => image.naturalWidth > 0)")
    look_at(page, "set-up")

    page.get_by_label("Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This code is wrong")).to_be_visible()
    look_at(page, "set-up-wrong")

    secret = secret_on(page.content())
    page.get_by_label("Code").fill(code_for(secret))
    page.get_by_role("button", name="Turn on").click()
    codes = page.get_by_role("list", name="Recovery codes").locator("code")
    expect(codes).to_have_count(10)
    recovery_code = codes.first.text_content()
    look_at(page, "recovery-codes")

    page.get_by_role("link", name="continue").click()
    page.wait_for_url("**/admin/")
    page.goto("/admin/account/")
    expect(page.get_by_text("this session")).to_be_visible()
    look_at(page, "account")

    page.context.clear_cookies(name="sessionid")
    page.goto("/admin/account/")
    page.fill("input[name=username]", "sue")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/second-factor/?**")
    code = page.locator("input[name=code][autofocus]")
    look_at(page, "code")
    code.fill(recovery_code)
    code.press("Enter")
    page.wait_for_url("**/admin/account/")
    expect(page.get_by_role("button", name="End the session of")).to_have_count(1)
    look_at(page, "account-two-sessions")
    page.get_by_role("button", name="Sign out everywhere else").click()
    expect(page.get_by_text("1 session ended.")).to_be_visible()


def test_refused_sign_in_says_when_to_try_again(page):
    page.goto("/admin/")
    for _ in range(6):
        page.fill("input[name=username]", "sue")
        page.fill("input[name=password]", "wrong")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    expect(page.get_by_text("Too many attempts. Try again in 15 minutes.")).to_be_visible()
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/refused-{page.look}.png", full_page=True)
