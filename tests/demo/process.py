"""The real demo as a process of its own, on a free port, and visitors to it."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx
from websockets.sync.client import connect

PATIENCE = 20.0
_START = """
import sys
from sessile.demo.launcher import launch
{before}
sys.exit(launch(host={host!r}, port={port}, servers={servers}, url={url!r}))
"""


def wait_for(condition, patience=PATIENCE):
    """Return when a condition holds; fail when patience ends."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.02)


def is_alive(pid):
    """Tell whether there is such a process, a dead one that nobody buried left out."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class DemoProcess:
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
    def output(self):
        return "".join(self.lines)

    def end(self, number=signal.SIGINT):
        """Ask it to end; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self):
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

    def forget_codes(self):
        """Let every code be used again, as if the last half minute had not been."""
        pid = next(m["pid"] for m in self.members().values() if m["pid"])
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        task = next(line for line in environ if line.startswith("SESSILE_DEMO_SERVER="))
        database = Path(json.loads(task.partition("=")[2])["folder"]) / "users.db"
        with closing(sqlite3.connect(database)) as table, table:
            table.execute("UPDATE users SET step = 0")

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

    def policy(self, word):
        return self.post("/policy", data={"policy": word})

    def steal(self, way="elsewhere"):
        return self.post("/theft", data={"way": way})

    def code(self):
        """Return the six digits that the checkout page says an authenticator would show."""
        page = self.get("/checkout").text
        return "".join(re.search(r'class="digits"><code>(\d{3}) (\d{3})<', page).groups())

    def me(self):
        """Return what the shop tells whoever holds this visitor's cookies."""
        return self.get("/me").json()

    def activity(self):
        """Return the lines of the user's sessions, each as what, by what and from where."""
        return _lines(self.get("/activity").text.partition('id="activity"')[2])

    def evidence(self):
        """Return the lines of the session that was stolen last."""
        return _lines(self.get("/activity").text.partition("</details>")[0])

    def listen(self, **headers):
        """Open the WebSocket that a page of this visitor's has open."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return connect(
            str(self.base_url.copy_with(scheme="ws", path="/live")),
            additional_headers={"cookie": cookies, **headers},
            user_agent_header=self.headers["user-agent"],
            open_timeout=PATIENCE,
        )

    def look(self):
        """Return the page as a person reads it."""
        return PageContent(self.get("/").text)


def _lines(page):
    found = re.findall(
        r'entry-what">([^<]+?) ?<.*?</time>, ([^<]+) from <span class="address">([^<]+)<',
        page,
        re.DOTALL,
    )
    return [tuple(line) for line in found]


class PageContent:
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
