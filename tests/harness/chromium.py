"""A real browser, for whoever tests with one: ``from harness.chromium import chromium``."""

import pytest
from playwright.sync_api import expect, sync_playwright

from harness.programs import find_program

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

expect.set_options(timeout=30_000)  # milliseconds: a busy machine fails no test


@pytest.fixture(scope="module")  # while it is open no other test can run an event loop
def chromium():
    """A real browser; every context of it is a profile of its own."""
    program = find_program("chromium", "chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()
