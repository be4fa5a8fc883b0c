"""The widget in a real browser, on a page of another origin, talking to the real processes."""

import pytest
from playwright.sync_api import Dialog, Page

from tests import environment
from tests.browser import browser  # noqa: F401  (a fixture)
from tests.rig import PATIENCE
from tests.webchat.shop import Shop, chat_on

PROCESSES = ("web", "live", "webhook", "worker", "sweeper")


@pytest.fixture(scope="module")
def shop():
    running = Shop()
    yield running
    running.stop()


@pytest.fixture
def business(rig, shop):
    rig.start(*PROCESSES)
    shop.reports.clear()
    return chat_on(rig, shop)


@pytest.fixture
def faults():
    """What went wrong on the pages: a test that means it takes it out."""
    return []


@pytest.fixture
def visit(browser, business, shop, faults):  # noqa: F811
    """Open the shop as somebody new; whatever goes wrong on the page fails the test."""
    contexts = []
    ours = (shop.url, environment.API_URL, environment.LIVE_URL, "data:", "blob:")
    # What cannot be reached, or may not be, the browser writes to the console itself.
    browsers = ("Failed to load resource", "Access to fetch")

    def note(fault: str) -> None:
        faults.append(fault)

    def refuse(dialog: Dialog) -> None:
        note(f"dialog: {dialog.message}")
        dialog.dismiss()

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: note(f"error: {error}"))
        page.on("dialog", refuse)
        page.on(
            "request", lambda asked: None if asked.url.startswith(ours) else note(f"foreign: {asked.url}")
        )
        page.on("console", lambda said: None if said.text.startswith(browsers) else note(said.text))

    def open_(path: str = "/", **more) -> Page:
        context = browser.new_context(base_url=shop.url, **more)
        context.set_default_timeout(1000 * PATIENCE)
        context.on("page", watch)
        contexts.append(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []
    assert shop.reports == []
