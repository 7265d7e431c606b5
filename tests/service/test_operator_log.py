"""What is in the log without any hook: failures, and what an attack looks like."""

import re
from pathlib import Path

import pytest

from harness.clients import AsgiClient, WsgiClient
from sessile import Cookie, Limit, OnLimit, Origins, Policy, Sessions
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import StoreUnavailable
from sessile.service import events
from sessile.service.commit import save_midway
from sessile.service.open import open_transaction
from sessile.service.operator_log import LINES
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock
from sessile.testing.world import SECRET

PAGE = Path(__file__).parents[2] / "docs" / "events.md"


class Frozen(MemoryStore):
    """A store that can be made to refuse readers, and writers."""

    def __init__(self):
        super().__init__()
        self.refuses = set()

    async def read(self, key):
        self._refuse("read")
        return await super().read(key)

    async def commit(self, change):
        self._refuse("commit")
        return await super().commit(change)

    def _refuse(self, what):
        if what in self.refuses:
            raise StoreUnavailable("far://store", "a test froze it")


@pytest.fixture(params=[AsgiClient, WsgiClient], ids=["asgi", "wsgi"])
def world(request, caplog):
    """A shop in either colour, its store and its clock."""
    return Shop(request.param, caplog)


class Shop:
    def __init__(self, client, caplog):
        self.store, self.clock, self.caplog = Frozen(), FakeClock(), caplog
        self._client = client
        self.open()

    def open(self, **options):
        options = {"secrets": [SECRET], "cookie": Cookie(secure=False)} | options
        self.sessions = Sessions(store=self.store, clock=self.clock, **options)

    def ask(self, act=dict, cookie="", **request):
        reply = self._client(act, self.sessions).ask(cookie=cookie, **request)
        sent = reply.one("set-cookie")
        return reply, cookie if sent is None else sent.partition(";")[0]

    def lines(self):
        found = list(self.caplog.records)
        self.caplog.clear()
        assert {line.name for line in found} <= {"sessile"}
        return [(line.levelname, line.getMessage()) for line in found]


def stores(session):
    session["v"] = session.get("v", 0) + 1


def reads(session):
    session.get("v")


def logs_in(session):
    session.login("alice")


def test_ordinary_requests_leave_no_line(world):
    """Whoever comes, stores, logs in, reads and logs out is no business of the log's."""
    cookie = ""
    for act in (stores, logs_in, reads, lambda session: session.logout()):
        cookie = world.ask(act, cookie)[1]

    assert world.lines() == []


@pytest.mark.parametrize(("what", "act"), [("read", reads), ("commit", stores)])
def test_outage_is_told_when_it_begins_and_when_it_is_over(world, what, act):
    """A store that fails leaves a line, one a minute while it lasts, and one when it is over."""
    _, cookie = world.ask(stores)
    world.store.refuses = {what}
    for _ in range(3):
        assert world.ask(act, cookie)[0].status == 503
    ((level, line),) = world.lines()
    assert (level, line) == (
        "ERROR",
        "memory:// is unavailable: a test froze it; requests that need it get 503",
    )
    world.clock.advance(60)
    world.ask(act, cookie)
    ((_, line),) = world.lines()
    assert line.endswith("503 (2 more like it since the last such line)")
    world.store.refuses = set()
    world.clock.advance(5)
    assert world.ask(act, cookie)[0].status == 200

    ((level, line),) = world.lines()
    assert level == "WARNING"
    assert line.startswith("memory:// works again, 65 s after it first failed")
    world.ask(act, cookie)
    assert world.lines() == []


def test_store_that_fails_some_does_not_work_again(world):
    """Where one node of a cluster is gone some requests are served all the while."""
    _, cookie = world.ask(stores)
    for _ in range(10):
        world.store.refuses = {"commit"}
        world.ask(stores, cookie)
        world.store.refuses = set()
        world.ask(stores, cookie)
        world.clock.advance(1)
    assert [level for level, _ in world.lines()] == ["ERROR"]
    world.clock.advance(5)
    world.ask(stores, cookie)

    ((_, line),) = world.lines()
    assert line.startswith("memory:// works again, 15 s after it first failed")


def test_store_that_is_read_and_not_written_does_not_work_again(world):
    """That it can be read is no news of an outage that stops those who write."""
    _, cookie = world.ask(stores)
    world.store.refuses = {"commit"}
    world.ask(stores, cookie)
    world.lines()
    world.ask(reads, cookie)

    assert world.lines() == []


def test_replay_is_told(world):
    """A session that ended because a used ticket came back leaves a line with its id."""
    world.open(policy=Policy(idle=86_400, absolute=86_400))
    _, first = world.ask(logs_in)
    world.ask(reads, first)
    _, second = world.ask(lambda session: session.rotate(), first)
    for _ in range(2):
        world.ask(reads, second)
        world.clock.advance(7200)  # so the new ticket was kept, and the old one is not late
    world.ask(reads, first)

    ((level, line),) = world.lines()
    assert level == "WARNING"
    assert "a used ticket of session" in line
    assert "sessions.evidence(" in line
    assert "alice" not in line


def test_changed_secrets_are_told(world):
    """Records of other secrets leave a line, however many there are."""
    cookies = [world.ask(stores)[1] for _ in range(3)]
    world.open(secrets=["Zq8_mTn5wK3x-Vj7Rb2pXd4Sy9Hf6Gs1Lc0Oe"])
    for cookie in cookies:
        world.ask(reads, cookie)

    ((level, line),) = world.lines()
    assert level == "WARNING"
    assert "does not prove genuine" in line


def test_cross_site_request_is_told_with_the_line_to_write(world):
    """Whoever moved the front end to a host of its own reads in the log what to write."""
    headers = {"origin": "https://www.shop.example", "sec-fetch-site": "cross-site"}
    for _ in range(2):
        reply, _ = world.ask(stores, method="POST", headers=headers)
        assert reply.status == 403
    ((_, line),) = world.lines()
    assert "Sessions(origins=Origins(trusted=['https://www.shop.example']))" in line
    world.open(origins=Origins(trusted=["https://www.shop.example"]))
    assert world.ask(stores, method="POST", headers=headers)[0].status == 200


def test_text_of_a_client_is_one_safe_line(world):
    """An Origin is the sender's own text: no escape, no line break of it reaches the log."""
    origin = "https://\x1b[2J\u0085evil.example" + "x" * 1000
    headers = {"origin": origin, "sec-fetch-site": "cross-site"}
    world.ask(stores, method="POST", headers=headers)

    ((_, line),) = world.lines()
    assert line.isprintable()
    assert line.isascii()
    assert len(line) < 1200


def test_refused_login_is_told(world):
    """A login beyond the limit leaves a line, which names no user."""
    world.open(policy=Policy(limit=Limit(1, OnLimit.REFUSE)))
    _, cookie = world.ask(logs_in)
    world.ask(reads, cookie)
    reply, _ = world.ask(logs_in)

    assert reply.status == 403
    ((_, line),) = world.lines()
    assert "a login was refused with 403" in line
    assert "alice" not in line


@pytest.mark.parametrize(
    ("token", "told"),
    [("", "no CSRF token came"), ("hunter2", "that is not one of this session's")],
)
def test_form_without_its_token_is_told(world, token, told):
    """One line a minute says which of two mistakes it is; what came is not in it."""

    def check(session):
        world.sessions.check_csrf(session, token)

    for _ in range(2):
        assert world.ask(check, method="POST")[0].status == 403
    ((level, line),) = world.lines()
    assert level == "WARNING"
    assert told in line
    assert "hunter2" not in line
    world.clock.advance(60)
    world.ask(check, method="POST")
    ((_, line),) = world.lines()
    assert line.endswith("(1 more like it since the last such line)")


def test_failing_hook_is_told_once_a_minute(world):
    """A hook that fails with every event fills no log."""

    def broken(event):
        raise RuntimeError("hunter2")

    world.open(hooks=[broken])
    for _ in range(3):
        world.ask(stores)

    ((level, line),) = world.lines()
    assert level == "ERROR"
    assert "broken failed with RuntimeError" in line
    assert "hunter2" not in line


def test_clock_that_is_set_back_silences_nothing(caplog):
    """A clock that was years ahead when a line was written is no reason for years of silence."""
    clock = FakeClock()
    sessions = Sessions(store=MemoryStore(), clock=clock)
    fact = events.Malformed(0.0, "iLI9UbL0Zm4BcQESZuYy")
    context_of(sessions).emit(fact)
    clock.now -= 86_400 * 3650
    context_of(sessions).emit(fact)

    assert len(caplog.records) == 2


def test_every_kind_of_line_is_documented():
    """The page of events says which events leave a line."""
    told = PAGE.read_text().partition("\n## What is logged without a hook\n")[2]
    told = told.partition("\n## ")[0]

    assert {kind.__name__ for kind in LINES} == set(re.findall(r"^\| `(\w+)`", told, re.MULTILINE))


def test_save_of_a_socket_that_fails_is_told(caplog):
    """A WebSocket saves with no answer of ours to say so."""
    shop = Shop(WsgiClient, caplog)
    cookie = shop.ask(stores)[1]
    context, request = context_of(shop.sessions), PlainRequest({"cookie": cookie})
    transaction = run(open_transaction(context, request))
    stores(Session(transaction.state))
    shop.store.refuses = {"commit"}
    with pytest.raises(StoreUnavailable):
        run(save_midway(transaction))

    ((level, line),) = shop.lines()
    assert level == "ERROR"
    assert "is unavailable" in line
