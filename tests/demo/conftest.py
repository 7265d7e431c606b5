"""One demo for all tests of a process; each test finds all its servers up."""

import httpx
import pytest
from playwright.sync_api import sync_playwright

from demo.launched import Launched
from servers import required

ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def _demo():
    with Launched() as demo:
        assert demo.url, demo.said
        yield demo


@pytest.fixture
def demo(_demo):
    """The demo, with three servers up and no affinity."""
    for name, member in _demo.members().items():
        if member["phase"] == "down":
            httpx.post(f"{_demo.url}/servers/{name}/restart")
    httpx.post(f"{_demo.url}/route", data={"affinity": "none"})
    _demo.until(lambda members: all(m["phase"] == "up" for m in members.values()))
    return _demo


@pytest.fixture
def visitor(demo):
    """A stranger to the shop."""
    with demo.visitor() as visitor:
        yield visitor


@pytest.fixture(scope="module")  # while it is open no other test can run an event loop
def chromium():
    """A real browser; every context of it is a profile of its own."""
    program = required("chromium", "chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()
