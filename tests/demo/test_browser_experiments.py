"""What needs a browser of the experiments and the small things: layout, countdowns, closing."""

import pytest
from playwright.sync_api import expect

from demo.browser_page import DESK, PHONE, BrowserPage

pytestmark = pytest.mark.browser


def press(page, name):
    page.get_by_role("button", name=name).click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_experiments_fit_a_phone(chromium, demo, scheme):
    """With their results, the page of a stopped store, and that of a wrong address."""
    with BrowserPage(chromium, demo, viewport=PHONE, color_scheme=scheme) as window:
        page, widths, heights = window.page, {}, []

        def look(name):
            page.wait_for_load_state()
            widths[name] = window.width()
            heights.extend(window.heights())

        window.log_in()
        page.goto(f"{demo.url}/experiments")
        look("before")
        press(page, "Add twenty things at once, through three servers")
        expect(page.locator("#twenty-verdict")).to_contain_text("sessile kept 20 of 20, the naive")
        look("twenty")
        press(page, "Stop the store")
        expect(page.get_by_role("heading", name="The store is stopped")).to_be_visible()
        look("stopped")
        press(page, "Start the store again")
        expect(page.get_by_role("status")).to_contain_text("Nobody was logged out")
        press(page, "Log out meanwhile")
        expect(page.locator("#late-verdict")).to_have_text("The session did not come back.")
        look("late")
        page.goto(f"{demo.url}/nonsense")
        look("404")

    assert max(widths.values()) <= PHONE["width"], widths
    assert min(heights) >= 35
    assert window.hosts == {window.host}
    assert [text for text in window.complaints if "503" not in text and "404" not in text] == []


def test_the_experiments_work_without_javascript(chromium, demo):
    """Forms and links are enough, to close a message as well."""
    with BrowserPage(chromium, demo, viewport=DESK, java_script_enabled=False) as window:
        page = window.page
        window.log_in()
        page.get_by_role("link", name="Close").press("Enter")  # a click may miss what still scrolls
        expect(page.get_by_role("status")).to_be_empty()
        page.get_by_role("link", name="Break it", exact=True).click()
        press(page, "Add twenty")
        expect(page.locator("#twenty-verdict")).to_contain_text("sessile kept 20 of 20, the naive")
        press(page, "Stop the store")
        press(page, "Start the store again")
        press(page, "Log out meanwhile")
        expect(page.locator("#late")).to_contain_text("Dropped names the key cart")


def test_the_login_is_near_on_a_phone(chromium, demo):
    """The form comes before the shelf: two screens down, not four."""
    with BrowserPage(chromium, demo, viewport=PHONE) as window:
        window.page.goto(demo.url)
        form = window.page.locator("form.login").bounding_box()
        shelf = window.page.locator("#shop").bounding_box()

    assert form["y"] < 2 * PHONE["height"]
    assert form["y"] < shelf["y"]


def test_the_seconds_of_a_code_count_down(chromium, demo):
    """When they are over the page says that the next code has come."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        page = window.page
        page.clock.install()
        window.log_in()
        press(page, "Add to cart: Coral lamp")
        page.goto(f"{demo.url}/checkout")
        seconds = page.locator("[data-countdown]")
        page.clock.pause_at(page.evaluate("Date.now()") + 1)
        before = int(seconds.inner_text())
        page.clock.run_for(1_000)
        after = int(seconds.inner_text())
        page.clock.run_for(31_000)

        expect(page.get_by_text("The next code has come.")).to_be_visible()
        expect(seconds).to_be_hidden()

    assert after == max(before - 1, 0)
    assert window.complaints == []


def test_messages_are_closed_in_place(chromium, demo):
    """With a script the page stays where it is; whoever cannot see it has a name for the link."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        page, loads = window.page, []
        window.log_in()
        expect(page.get_by_role("status")).to_contain_text("Welcome, alice.")
        page.on("load", lambda _: loads.append(1))

        page.get_by_role("link", name="Close").press("Enter")  # a click may miss what still scrolls

        expect(page.get_by_role("status")).to_be_empty()
    assert loads == []
    assert window.complaints == []
