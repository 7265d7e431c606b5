"""The page in a real Chromium: on a phone, without JavaScript, and live."""

import pytest
from playwright.sync_api import expect

from demo.browser_page import DESK, PHONE, BrowserPage

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(chromium, demo, scheme):
    """Nothing sticks out sideways, before and after a login, and every button can be hit."""
    with BrowserPage(chromium, demo, viewport=PHONE, color_scheme=scheme) as window:
        widths = []
        window.page.goto(demo.url)
        widths.append(window.width())
        window.page.get_by_role("button", name="Add to cart: Anemone socks").click()
        window.log_in()
        widths.append(window.width())
        heights = window.heights()

    assert max(widths) <= PHONE["width"]
    assert min(heights) >= 35
    assert window.complaints == []
    assert window.hosts == {window.host}


def test_everything_works_without_javascript(chromium, demo):
    """Log in, fill the cart, change a setting, kill a server, log out: forms are enough."""
    with BrowserPage(chromium, demo, viewport=DESK, java_script_enabled=False) as window:
        page = window.page
        page.goto(demo.url)
        page.get_by_role("link", name="Fill in").first.click()
        page.get_by_label("Remember me").check()
        page.locator("form.login button").click()
        expect(page.get_by_role("heading", name="Devices of bob")).to_be_visible()
        page.get_by_role("button", name="Add to cart: Coral lamp").click()
        expect(page.locator("#cart")).to_contain_text("Coral lamp")
        page.get_by_label("Currency").select_option("USD")
        page.get_by_role("button", name="Keep").click()
        expect(page.locator("#cart")).to_contain_text("$64.90")
        page.get_by_role("button", name="Kill server A").click()
        expect(page.locator("[data-server=A]")).to_contain_text("down")
        expect(page.locator("#session")).to_contain_text("bob")
        page.get_by_role("button", name="Log out", exact=True).click()
        expect(page.get_by_role("status")).to_contain_text("You are logged out.")
        expect(page.locator("#session")).to_contain_text("There is none")


def test_the_page_follows_the_servers(chromium, demo, visitor):
    """With JavaScript the open page shows a death and a return without being loaded again."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        window.log_in()
        card = window.page.locator("[data-server=C]")
        loads = []
        window.page.on("load", lambda _: loads.append(1))

        visitor.post("/servers/C/kill")
        expect(card).to_have_attribute("data-phase", "down")
        expect(card.get_by_role("button", name="Restart server C")).to_be_visible()
        visitor.post("/servers/C/restart")
        expect(card).to_have_attribute("data-phase", "up", timeout=15_000)
        expect(card.get_by_role("button", name="Kill server C")).to_be_visible()
        expect(window.page.locator("[data-ticks] .tick").first).to_be_visible()

    assert loads == []
    assert window.complaints == []


def test_two_browsers_are_two_devices(chromium, demo):
    """One ends the other, whose next page is that of a stranger and says why."""
    with BrowserPage(chromium, demo, viewport=DESK) as one, BrowserPage(chromium, demo) as two:
        one.log_in()
        two.log_in()
        two.page.get_by_role("button", name="End all others").click()
        expect(two.page.get_by_role("status")).to_contain_text("logged out")

        one.page.get_by_role("link", name="Load it again").click()

        expect(one.page.get_by_role("status")).to_contain_text("a session that has ended")
        expect(one.page.locator("#session")).to_contain_text("There is none")


def test_every_control_has_a_name(chromium, demo):
    """Whoever cannot see the page is told what each field and button is for."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        window.page.goto(demo.url)
        nameless = window.nameless()
        buttons = window.page.get_by_role("button").all()
        names = [b.get_attribute("aria-label") or b.inner_text() for b in buttons]

    assert nameless == []
    assert all(names)
    assert len(set(names)) == len(names)
