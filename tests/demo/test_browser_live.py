"""What the page does by its socket, and while it reads on, in a real Chromium."""

import re

import pytest
from playwright.sync_api import expect

from demo.browser_page import DESK, PHONE, BrowserPage

pytestmark = pytest.mark.browser

ENDED = "Your session was ended elsewhere."


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_page_is_told_of_the_end_of_its_session(chromium, demo, visitor, viewport):
    """Ended from another device, it says so at once, beside a link; nothing else changes."""
    with BrowserPage(chromium, demo, viewport=viewport) as window:
        page, loads = window.page, []
        window.log_in()
        expect(page.locator("[data-live]")).to_have_text(
            re.compile("live: this page is told when its session ends")
        )
        expect(page.locator("[data-live]")).to_be_visible()
        visitor.log_in()
        page.on("load", lambda _: loads.append(1))

        visitor.post("/devices/end-others")

        expect(page.get_by_role("status")).to_contain_text(ENDED)
        expect(page.locator("[data-live]")).to_be_hidden()
        expect(page.get_by_role("heading", name="Devices of alice")).to_be_visible()
        assert loads == []
        assert window.width() <= viewport["width"]
        page.get_by_role("link", name="Load the page").click()
        expect(page.get_by_role("status")).to_contain_text("a session that has ended")
        expect(page.locator("#session")).to_contain_text("There is none")
    assert window.complaints == []


def test_page_tells_another_tab_and_not_itself(chromium, demo):
    """A logout closes the sockets of both; what the page did itself its next page tells."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        page, held = window.page, []
        window.log_in()
        expect(page.locator("[data-live]")).to_be_visible()
        tab = window.context.new_page()
        tab.goto(f"{demo.url}/experiments")
        expect(tab.locator("[data-live]")).to_be_visible()
        page.route("**/logout", lambda route: held.append((route, route.fetch(max_redirects=0))))

        page.get_by_role("button", name="Log out", exact=True).click(no_wait_after=True)

        expect(tab.get_by_role("status")).to_contain_text(ENDED)
        held[0][0].abort("aborted")  # so that the page is still there to be looked at
        expect(page.locator("[data-live]")).to_be_hidden()
        expect(page.get_by_text(ENDED)).to_have_count(0)


def test_page_finds_another_server_when_its_own_dies(chromium, demo, visitor):
    """The session lives on, so nothing is said; another socket is told of the end."""
    visitor.post("/route", data={"affinity": "cookie"})
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        page = window.page
        window.log_in()
        expect(page.locator("[data-live]")).to_be_visible()
        mine = page.locator("#served").inner_text().split()[1]

        visitor.post(f"/servers/{mine}/kill")
        expect(page.locator("[data-live]")).to_be_hidden()
        expect(page.locator("[data-live]")).to_be_visible(timeout=15_000)
        expect(page.get_by_text(ENDED)).to_have_count(0)
        visitor.log_in()
        visitor.post("/devices/end-others")

        expect(page.get_by_role("status")).to_contain_text(ENDED)


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_shop_is_read_while_the_store_is_stopped(chromium, demo, script):
    """On a phone: pages from copies, a refusal in words, and all is there after the start."""
    with BrowserPage(chromium, demo, viewport=PHONE, java_script_enabled=script) as window:
        page, widths = window.page, []

        def look(path, words):
            page.goto(f"{demo.url}{path}")
            expect(page.get_by_text("Pages come from copies")).to_be_visible()
            expect(page.get_by_text(words)).to_be_visible()
            widths.append(window.width() if script else 0)

        window.log_in()
        page.goto(f"{demo.url}/experiments")
        widths.append(window.width() if script else 0)
        press(page, "Stop it and read on")
        expect(page.get_by_text("It is stopped, and you read on.")).to_be_visible()
        look("/activity", "Not known while the store is stopped.")
        look("/theft", "The policy")
        look("/", "Not known while the store is stopped.")
        press(page, "Add to cart: Coral lamp")
        expect(page.get_by_role("heading", name="nothing can be stored")).to_be_visible()
        widths.append(window.width() if script else 0)
        press(page, "Start the store again")
        expect(page.get_by_role("status")).to_contain_text("Nobody was logged out")

    assert max(widths) <= PHONE["width"]
    assert [text for text in window.complaints if "503" not in text] == []
    assert window.hosts == {window.host}
