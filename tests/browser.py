"""A real browser for tests: Debian's chromium, driven by playwright, which brings none itself."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.rig import PATIENCE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

# Milliseconds; other tests keep the machine busy.
expect.set_options(timeout=1000 * PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """
    A chromium; where there is none the test is skipped, unless BROWSER_TESTS=required.

    For one module: while it lives, playwright keeps an event loop in this thread, which makes Django believe
    it is asynchronous, and in which asyncio starts no other.
    """
    if CHROMIUM is None:
        if os.environ.get("BROWSER_TESTS") == "required":
            pytest.fail("BROWSER_TESTS=required, and there is no chromium on PATH")
        pytest.skip("there is no chromium on PATH: apt-get install chromium")
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield opened
        opened.close()
