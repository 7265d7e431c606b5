"""The real demo as a process of its own, on a free port, and visitors to it."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

PATIENCE = 20.0
_START = """
import sys
from sessile.demo.launcher import launch
{before}
sys.exit(launch(host={host!r}, port={port}, servers={servers}, url={url!r}))
"""


def wait_for(condition):
    """Return when a condition holds; fail when patience ends."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.02)


def is_alive(pid):
    """Tell whether there is such a process, a dead one that nobody buried left out."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Launched:
    """A running demo; ``lines`` is what it has said so far."""

    def __init__(self, *, host="127.0.0.1", port=0, servers=3, url=None, before="", env=None):
        code = _START.format(host=host, port=port, servers=servers, url=url, before=before)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
        )
        self.lines = []
        self.url = self._address()

    def _address(self):
        """Return where the shop is; None if it ended before it said so."""
        for line in self.process.stdout:
            self.lines.append(line)
            if found := re.search(r"http://\S+", line):
                return found.group().rstrip("/")
        return None

    @property
    def said(self):
        return "".join(self.lines)

    def end(self, number=signal.SIGINT):
        """Ask it to end; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self):
        """Wait until it has ended by itself; return its exit code."""
        code = self.process.wait(PATIENCE)
        self.lines.append(self.process.stdout.read())  # what is buffered as well: no communicate()
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.end()

    def visitor(self, **options):
        """Return a new client of the shop, which follows redirects as a browser does."""
        return Visitor(self.url, **options)

    def members(self):
        """Return what is known of every server."""
        return httpx.get(f"{self.url}/now").json()["members"]

    def until(self, condition):
        """Wait until the servers are as a condition wants them, and return how they are then."""
        wait_for(lambda: condition(self.members()))
        return self.members()


class Visitor(httpx.Client):
    """A browser without a screen."""

    def __init__(self, url, **options):
        headers = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0"}
        super().__init__(
            base_url=url, headers=headers | options, follow_redirects=True, timeout=PATIENCE
        )

    def log_in(self, name="alice", password="looking-glass", **more):
        return self.post("/login", data={"username": name, "password": password} | more)

    def add(self, item="mug"):
        return self.post("/cart/add", data={"item": item})

    def look(self):
        """Return the page as a person reads it."""
        return Seen(self.get("/").text)


class Seen:
    """What is on a page."""

    def __init__(self, page):
        self.page = page
        self.server = re.search(r"Server (\w) answered", page).group(1)
        who = re.search(r"Devices of (\w+)", page)
        self.user = who and who.group(1)
        found = re.search(r"<dt>Id</dt><dd><code>([\w-]+)</code>", page)
        self.id = found and found.group(1)
        self.cart = {
            name: int(count)
            for count, name in re.findall(r'"count">(\d+) \S</td>\s*<td>([^<]+)</td>', page)
        }
        self.messages = re.findall(r'<p class="message \w+">([^<]*)</p>', page)
        self.devices = re.findall(r"/devices/([\w-]{20})/end", page)


def everywhere(visitor):
    """Look at the shop until each server has shown it; return what was seen, by server."""
    seen = {}
    for _ in range(12):
        look = visitor.look()
        seen[look.server] = look
    return seen
