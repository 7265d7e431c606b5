"""Checkout, activity and theft in a real Chromium, as their visitor goes through them."""

import pytest
from playwright.sync_api import expect

from demo.browser_page import DESK, PHONE, BrowserPage

pytestmark = pytest.mark.browser


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def type_code(page, code):
    page.get_by_label("Code").fill(code)
    press(page, "Confirm")


def to_checkout(page):
    press(page, "Add to cart: Coral lamp")
    page.get_by_role("link", name="Check out").click()
    return page.locator(".digits").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_new_pages_fit_a_phone(chromium, demo, scheme):
    """Nothing sticks out sideways, each field has a label, and every button can be hit."""
    with BrowserPage(chromium, demo, viewport=PHONE, color_scheme=scheme) as window:
        page, widths, heights, nameless = window.page, [], [], []

        def look():
            page.wait_for_load_state()
            widths.append(window.width())
            heights.extend(window.heights())
            nameless.extend(window.nameless())

        window.log_in()
        to_checkout(page)
        look()
        page.goto(f"{demo.url}/theft")
        look()
        press(page, "Steal this session")
        expect(page.get_by_role("heading", name="The thief got nothing")).to_be_visible()
        look()
        press(page, "Steal it and run ahead")
        expect(page.get_by_role("heading", name="The thief got in")).to_be_visible()
        look()
        window.log_in()
        page.get_by_role("link", name="Your activity").click()
        expect(page.locator(".alarm").first).to_be_visible()
        look()

    assert max(widths) <= PHONE["width"]
    assert min(heights) >= 35
    assert nameless == []
    assert window.complaints == []
    assert window.hosts == {window.host}


def test_checking_out_takes_a_code(chromium, demo):
    """Without JavaScript: a wrong code, the right one, the order; and the same code again."""
    with BrowserPage(chromium, demo, viewport=DESK, java_script_enabled=False) as window:
        page = window.page
        window.log_in()
        code = to_checkout(page)
        other = ("1" if code[0] != "1" else "2") + code[1:]

        type_code(page, other)
        expect(page.get_by_role("status")).to_contain_text("not the code")
        type_code(page, code)
        expect(page.get_by_role("status")).to_contain_text("may check out once")
        press(page, "Order for €59.00")
        expect(page.get_by_role("status")).to_contain_text("Ordered for €59.00")
        expect(page.locator("#cart")).to_contain_text("Nothing in it yet.")
        expect(page.locator("#session")).to_contain_text("password and totp")
        to_checkout(page)
        type_code(page, code)
        expect(page.get_by_role("status")).to_contain_text("used already")


def test_a_thief_who_is_turned_away_leaves_a_line(chromium, demo):
    """The default policy: the owner goes on as if nothing had been, and can read of it."""
    with BrowserPage(chromium, demo, viewport=DESK) as window:
        page = window.page
        window.log_in()
        page.get_by_role("link", name="Steal this session").first.click()
        cookie = page.evaluate("document.cookie")

        press(page, "Steal this session")
        expect(page.locator("#outcome")).to_contain_text("another client presented its ticket")
        expect(page.locator("#outcome")).to_contain_text("You are alice, as before.")
        page.get_by_role("link", name="See your activity").click()

        expect(page.get_by_role("heading", name="Activity of alice")).to_be_visible()
        first = page.locator("#activity .entry").first
        expect(first).to_contain_text("Another client was turned away")
        expect(first).to_contain_text("curl from 127.66.0.66")

    assert cookie == ""
    assert window.complaints == []


def test_a_theft_that_ends_the_session_is_explained(chromium, demo):
    """Without JavaScript: the owner is out as well, and after a login sees the evidence."""
    with BrowserPage(chromium, demo, viewport=DESK, java_script_enabled=False) as window:
        page = window.page
        window.log_in()
        page.goto(f"{demo.url}/theft")
        press(page, "End")
        press(page, "Steal this session")
        expect(page.locator("#outcome")).to_contain_text("ended, for everybody")
        expect(page.locator("#outcome")).to_contain_text("You are a stranger")
        expect(page.get_by_role("status")).to_contain_text("a session that has ended")

        window.log_in()
        expect(page.get_by_role("status")).to_contain_text("ended for theft")
        page.get_by_role("link", name="Your activity").click()

        alarm = page.locator(".alarm").first
        expect(alarm).to_contain_text("another client presented its ticket")
        expect(alarm.locator(".entry").first).to_contain_text("curl from 127.66.0.66")


def test_a_locked_session_is_unlocked(chromium, demo):
    """The same cookie in another browser: a form for the password, and then the same cart."""
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    with BrowserPage(chromium, demo) as one, BrowserPage(chromium, demo, user_agent=agent) as two:
        one.log_in()
        press(one.page, "Add to cart: Barnacle mug")
        expect(one.page.locator("#cart")).to_contain_text("Barnacle mug")
        two.context.add_cookies(one.context.cookies())

        two.page.goto(demo.url)
        expect(two.page.get_by_role("status")).to_contain_text("locked until its owner")
        expect(two.page.locator("#cart")).to_contain_text("Nothing in it yet.")
        two.page.get_by_label("Password of alice").fill("looking-glass")
        press(two.page, "Unlock")

        expect(two.page.get_by_role("status")).to_contain_text("Unlocked")
        expect(two.page.locator("#cart")).to_contain_text("Barnacle mug")
