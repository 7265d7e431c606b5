"""A real Chromium that is killed a moment after a turn, before it wrote its cookie to its disk."""

import os
import re
import signal
import subprocess
from contextlib import contextmanager

import pytest
from playwright.sync_api import sync_playwright

from harness.chromium import ARGUMENTS
from harness.handlers import who
from harness.programs import find_program
from harness.sites import serve
from sessile import Policy
from sessile.service.events import Replayed, StaleTicket

pytestmark = pytest.mark.browser

LISTENS = re.compile(r"DevTools listening on (ws://\S+)")
TRIES = 5  # on a machine so busy that half a minute passes meanwhile, Chromium has kept its cookie


def remembers(session):
    """Log in for longer than the browser runs."""
    session.login("alice", remember=True)


def rotates(session):
    """Ask for a new ticket."""
    session.rotate()


class Window:
    """A page of a running browser.

    Args:
        page: of Playwright's.
        process: the browser's, which leads a group of its own.
    """

    def __init__(self, page, process):
        self._page, self._process = page, process

    @property
    def ticket(self):
        """What stands in its cookie."""
        (cookie,) = self._page.context.cookies()
        return cookie["value"]

    def ask(self, site, act):
        """Look at a page of the site."""
        return self._page.goto(site.address + site.path(act)).json()

    def close(self):
        """Close the browser as people do: it writes its cookies."""
        self._page.context.browser.new_browser_cdp_session().send("Browser.close")
        self._process.wait()

    def kill(self):
        """Kill all its processes with the signal that none can hear."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@pytest.fixture
def chromium(tmp_path):
    """Start the browser, each time with the same profile."""
    program = find_program("chromium", "chromium", "apt-get install chromium")
    options = [f"--user-data-dir={tmp_path}", "--remote-debugging-port=0", "about:blank"]

    @contextmanager
    def start():
        with (
            subprocess.Popen(
                [program, *ARGUMENTS, *options],
                stderr=subprocess.PIPE, text=True, start_new_session=True,
            ) as process,
            sync_playwright() as playwright,
        ):  # fmt: skip
            window = None
            try:
                address = next(filter(None, map(LISTENS.search, process.stderr)))[1]
                browser = playwright.chromium.connect_over_cdp(address)
                window = Window(browser.contexts[0].pages[0], process)
                yield window
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    return start


@pytest.mark.parametrize(("stale", "served"), [(Policy().stale, "alice"), (None, None)])
def test_chromium_that_was_killed_goes_on(chromium, stale, served):
    """It lost its newest ticket: it is handed that again, and nobody is taken for a thief.

    Without a window the same browser, which stole nothing, has ended its session.
    """
    with serve("asgi", "memory://", policy=Policy(stale=stale)) as site:
        site.handlers["/favicon.ico"] = lambda _: None
        with chromium() as window:
            window.ask(site, remembers)
            window.close()
        for _ in range(TRIES):
            with chromium() as window:
                before = window.ticket
                window.ask(site, rotates)
                window.ask(site, who)
                newest = window.ticket
                window.kill()
            with chromium() as window:
                is_lost = window.ticket == before != newest
                site.clock.advance(600)
                user, holds = window.ask(site, who), window.ticket
                window.close()
            if is_lost:
                break

    kinds = [type(event) for event in site.events]
    assert is_lost
    assert (user, holds) == (served, newest if served else before)
    assert (StaleTicket in kinds, Replayed in kinds) == (served is not None, served is None)
