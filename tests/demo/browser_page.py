"""A page in Chromium, with its requests and its console messages. Used by the browser tests."""

from urllib.parse import urlsplit

from playwright.sync_api import expect

PHONE = {"width": 375, "height": 812}
DESK = {"width": 1280, "height": 900}


class BrowserPage:
    """A page, and everything it asked for and complained about."""

    def __init__(self, browser, demo, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.hosts, self.complaints = set(), []
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._heard)
        self.host = urlsplit(demo.url).netloc
        self.url = demo.url

    def _heard(self, message):
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def log_in(self):
        self.page.goto(self.url)
        self.page.locator("form.login button").click()
        expect(self.page.get_by_role("heading", name="Devices of alice")).to_be_visible()
        self.page.wait_for_load_state()  # its heading is seen before

    def width(self):
        """Return how wide the page is, with what sticks out."""
        return self.page.evaluate("document.scrollingElement.scrollWidth")

    def heights(self):
        """Return the height of every button that is seen."""
        return self.page.evaluate(
            "[...document.querySelectorAll('button, .button')]"
            ".filter(b => b.offsetParent).map(b => b.offsetHeight)"
        )

    def nameless(self):
        """Return the fields that have no label."""
        return self.page.evaluate(
            "[...document.querySelectorAll('input, select')]"
            ".filter(f => !f.labels.length).map(f => f.name)"
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()
