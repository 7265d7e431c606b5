"""The small decisions of the demo, each by itself."""

import asyncio
import sqlite3
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from argon2 import PasswordHasher
from starlette.requests import Request

from sessile import Policy, SessionInfo, minutes
from sessile.core.proxies import Proxies
from sessile.core.record import Record
from sessile.core.request import PlainRequest
from sessile.core.ticket import Key
from sessile.core.trail import TrailEntry
from sessile.demo import cart, thief
from sessile.demo.activity import entries
from sessile.demo.alarms import Alarms
from sessile.demo.authenticator import Authenticator, CodeStatus
from sessile.demo.catalogue import ITEMS, Currency
from sessile.demo.deadlines import deadlines
from sessile.demo.guard import _OURS, is_from_here
from sessile.demo.times import ago, span, stamp
from sessile.demo.users import UserTable
from sessile.service.events import Created, End, Ended

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_599, "59 min 59 s"),
        (3_661, "1 h 1 min"),
        (3_601, "1 h"),
        (14 * 86_400, "14 d"),
        (-5, "0 s"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds, text):
    """Nobody wants to know the seconds of a day."""
    assert span(seconds) == text


def test_a_moment_is_told_for_people_and_machines():
    """The last seconds are just now; the stamp is ISO 8601 in UTC."""
    assert ago(NOW - 1, NOW) == "just now"
    assert ago(NOW - 90, NOW) == "1 min 30 s ago"
    assert stamp(NOW) == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        (
            {"sec-fetch-site": "cross-site", "origin": "http://here", "host": "here"},
            False,
        ),
        ({"origin": "http://here:8000", "host": "here:8000"}, True),
        ({"origin": "http://here:8001", "host": "here:8000"}, False),
        ({"origin": "null", "host": "here:8000"}, False),
    ],
)
def test_a_request_comes_from_our_page_or_from_no_page(headers, own):
    """Sec-Fetch-Site decides, then Origin; who sends neither is no browser."""
    assert (_OURS.refuses(PlainRequest(headers, method="POST")) is None) is own


@pytest.mark.parametrize(
    ("peer", "told", "host", "here"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "::1", "[::1]:8000", True),
        ("127.0.0.1", "192.0.2.7", "127.0.0.1:8000", False),
        ("127.0.0.1", "192.0.2.7, 127.0.0.1", "127.0.0.1:8000", False),
        ("192.0.2.7", "127.0.0.1", "127.0.0.1:8000", False),
        ("127.0.0.1", "192.0.2.7", "shop.example", False),
        ("127.0.0.1", "127.0.0.1", "rebound.example:8000", False),
        ("", "127.0.0.1", "localhost:8000", False),
    ],
)
def test_only_who_sits_here_and_says_so_is_here(peer, told, host, here):
    """Both the visitor's address, as the balancer tells it, and the name they used must be ours."""
    headers = [(b"host", host.encode()), (b"x-forwarded-for", told.encode())]
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": b"",
        "client": (peer, 5000), "server": ("x", 80), "headers": headers,
    }  # fmt: skip

    assert is_from_here(Request(scope), Proxies(trusted=["127.0.0.1"])) is here


def test_a_deadline_says_what_is_left():
    """Idle starts anew with this visit, absolute does not, rotation counts from the last one."""
    record = Record(
        format=1, key="k" * 20, version=3, created=NOW - 3_600, seen=NOW - 600,
        idle_until=NOW + 1_200, until=NOW + 3_600, digest=b"", rotated=NOW - 300,
    )  # fmt: skip

    idle, absolute, rotation = deadlines(Policy(absolute=minutes(120)), SessionInfo.of(record), NOW)

    assert (idle.left, idle.part) == ("30 min", 1000)
    assert (absolute.left, absolute.part) == ("1 h", 500)
    assert (rotation.left, rotation.part) == ("10 min", 667)


def test_no_rotation_deadline_where_nothing_is_rotated():
    """A policy without rotation shows two deadlines, and idle never goes beyond absolute."""
    record = Record(
        format=1, key="k" * 20, version=1, created=NOW, seen=NOW,
        idle_until=NOW + 60, until=NOW + 60, digest=b"", rotated=NOW,
    )  # fmt: skip

    idle, absolute = deadlines(Policy(rotate=None), SessionInfo.of(record), NOW)

    assert idle.left == absolute.left == "1 min"


def test_a_cart_counts_pieces():
    """Pieces of one item are one line; taking out what is not there is no error."""
    kept = {}
    mug, lamp = ITEMS["mug"], ITEMS["lamp"]

    cart.add(kept, mug)
    cart.add(kept, lamp)
    cart.add(kept, mug)

    assert cart.contents(kept) == {mug: 2, lamp: 1}
    assert cart.remove(kept, lamp)
    assert not cart.remove(kept, lamp)
    assert cart.contents(kept) == {mug: 2}


@pytest.mark.parametrize(
    ("currency", "text"),
    [(Currency.EUR, "€14.00"), (Currency.USD, "$15.40"), (Currency.GBP, "£11.90")],
)
def test_a_price_is_shown_in_the_chosen_currency(currency, text):
    """Cents become an amount with its sign."""
    assert currency.show(1_400) == text


@pytest.fixture
def users(tmp_path):
    UserTable.create(tmp_path / "users.db", {"ann": "her-password"})
    return UserTable(tmp_path / "users.db")


@pytest.fixture
def alarms(tmp_path):
    Alarms.create(tmp_path / "users.db")
    return Alarms(tmp_path / "users.db")


def info(key, *trail):
    return SessionInfo(
        id=Key(key), user="ann", device="", address="", created=NOW, last_seen=NOW, expires=NOW,
        ends=NOW, assurance=1, remembered=False, version=1, rotated=NOW, grants={}, trail=trail,
        current=key[0] == "a",
    )  # fmt: skip


def test_passwords_are_kept_as_argon2id(users, tmp_path):
    """The table holds a hash that takes work to guess, and no password."""
    with closing(sqlite3.connect(tmp_path / "users.db")) as table:
        rows = table.execute("SELECT name, hash FROM users").fetchall()

    assert [name for name, _ in rows] == ["ann"]
    assert rows[0][1].startswith("$argon2id$")
    assert b"her-password" not in (tmp_path / "users.db").read_bytes()


def test_only_the_right_password_opens(users):
    """Right, wrong, and a user nobody knows."""

    async def check_all():
        pairs = [("ann", "her-password"), ("ann", "his-password"), ("bob", "her-password")]
        return [await users.check(*pair) for pair in pairs]

    assert asyncio.run(check_all()) == [True, False, False]


def test_an_unknown_user_costs_as_much_as_a_wrong_password(users, monkeypatch):
    """Either way one hash is verified, so the time tells nothing."""
    verified = []
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda _, known, given: verified.append((known[:30], given))
    )

    asyncio.run(users.check("ann", "x"))
    asyncio.run(users.check("nobody", "x"))

    assert len(verified) == 2
    assert verified[0] == verified[1]  # the same algorithm with the same costs


def test_other_visitors_do_not_wait_for_a_password_check(users):
    """The hash is computed beside the event loop, which goes on turning."""

    async def turns_meanwhile():
        check = asyncio.create_task(users.check("ann", "x"))
        turns = 0
        while not check.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(turns_meanwhile()) > 10


@pytest.mark.parametrize(
    ("late", "outcome"),
    [
        (-60, CodeStatus.WRONG),
        (-30, CodeStatus.RIGHT),
        (0, CodeStatus.RIGHT),
        (29, CodeStatus.RIGHT),
        (59, CodeStatus.RIGHT),
        (60, CodeStatus.WRONG),
    ],
)
def test_a_code_holds_for_one_step_before_and_after(users, late, outcome):
    """RFC 6238, 5.2: a slow typist and a clock that is a little off are let in, nobody else."""
    authenticator, start = Authenticator(users), NOW - NOW % 30
    code = asyncio.run(authenticator.phone("ann", start)).code

    assert asyncio.run(authenticator.check("ann", code, start + late)) is outcome


def test_an_older_code_is_no_use_after_a_newer_one(users):
    """Within the window, too, codes are taken in their order, each once; blanks do not matter."""
    authenticator = Authenticator(users)
    older, newer = (asyncio.run(authenticator.phone("ann", at)).code for at in (NOW, NOW + 30))

    outcomes = [
        asyncio.run(authenticator.check("ann", code, NOW + 30))
        for code in (f" {newer[:3]} {newer[3:]} ", newer, older)
    ]

    assert outcomes == [CodeStatus.RIGHT, CodeStatus.USED, CodeStatus.USED]
    assert asyncio.run(authenticator.phone("ann", NOW + 30)).used


def test_a_phone_keeps_its_secret_out_of_its_repr(users):
    """Neither the secret nor the code is in a log by accident."""
    phone = asyncio.run(Authenticator(users).phone("ann", NOW))

    assert phone.uri.startswith("otpauth://totp/Tidepool:ann?secret=")
    assert phone.code not in repr(phone)
    assert "secret" not in repr(phone)


@pytest.mark.parametrize(
    ("event", "noted"),
    [
        (Ended(NOW, Key("k" * 20), End.REPLAY, "ann"), True),
        (Ended(NOW, Key("k" * 20), End.MISMATCH, "ann"), True),
        (Ended(NOW, Key("k" * 20), End.THEFT, "ann"), True),
        (Ended(NOW, Key("k" * 20), End.REPLAY, None), False),
        (Ended(NOW, Key("k" * 20), End.LOGOUT, "ann"), False),
        (Created(NOW, Key("k" * 20)), False),
    ],
)
def test_a_theft_is_noted_for_its_owner(alarms, event, noted):
    """The hook keeps what its owner has to know, tells it once, and nothing else."""
    alarms.note_theft(event)

    assert [alarm.session for alarm in alarms.of("ann")] == ["k" * 20] * noted
    assert [alarms.take_unread("ann"), alarms.take_unread("ann"), alarms.take_unread("bob")] == [
        int(noted),
        0,
        0,
    ]
    assert alarms.of("bob") == []


def test_lines_of_one_moment_are_shown_newest_first():
    """Trails are merged by time; within one, the later line comes first."""
    here = info(
        "a" * 20, TrailEntry(NOW, "login", "127.0.0.1", "Firefox"), TrailEntry(NOW, "read a book")
    )
    there = info(
        "b" * 20, TrailEntry(NOW - 5, "step up"), TrailEntry(NOW + 5, "another client", "::1")
    )

    shown = entries([here, there], NOW + 5)

    assert [line.what for line in shown] == [
        "Went on from another client",
        "Read a book",
        "Logged in",
        "Gave a second factor",
    ]
    assert [line.current for line in shown] == [False, True, True, False]
    assert (shown[1].device, shown[1].address) == ("an unknown program", "an unknown address")


@pytest.mark.parametrize("address", ["127.66.0.66", "192.0.2.1"])
def test_a_thief_comes_from_elsewhere_where_the_system_allows_it(monkeypatch, address):
    """Where the machine has no such address, as a Mac has none, the thief comes from its own."""
    asked = []

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.client_address[0], dict(self.headers)))
            self.send_response(200)
            self.send_header("Set-Cookie", "route=b; Path=/")
            self.send_header("Set-Cookie", "sid=newer; Path=/; HttpOnly")
            self.end_headers()

        def log_message(self, *_):
            pass

    monkeypatch.setattr(thief, "_ELSEWHERE", address)
    with HTTPServer(("127.0.0.1", 0), Shop) as shop:
        serving = Thread(target=shop.handle_request)
        serving.start()
        cookies = {"sid": "stolen", "policy": "end"}
        responses = thief.Thief(shop.server_address, cookies, "sid", "").steal(
            thief.Attack.ELSEWHERE
        )
        serving.join()

    ((came, headers),) = asked
    assert came == ("127.66.0.66" if address == "127.66.0.66" else "127.0.0.1")
    assert headers["Cookie"] == "sid=stolen; policy=end"
    assert headers["User-Agent"].startswith("curl/")
    assert [(one.status, one.new_ticket, one.body) for one in responses] == [(200, True, {})]
