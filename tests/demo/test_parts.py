"""The small decisions of the demo, each by itself."""

import asyncio
import sqlite3
from contextlib import closing

import pytest
from argon2 import PasswordHasher
from starlette.datastructures import Headers
from starlette.requests import Request

from sessile import Policy, minutes
from sessile.core.record import Record
from sessile.demo import cart
from sessile.demo.catalogue import ITEMS, Currency
from sessile.demo.clock import clocks
from sessile.demo.device import device_name
from sessile.demo.guard import is_from_here, is_own
from sessile.demo.moment import ago, span, stamp
from sessile.demo.users import Users

NOW = 1_700_000_000.0
CHROME = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 {}Safari/537.36"
SAFARI = "Mozilla/5.0 ({}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (CHROME.format("X11; Linux x86_64", ""), "Chromium on Linux"),
        ("Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0 Safari/537.36", "Chromium on Linux"),
        (CHROME.format("Linux; Android 15", "Mobile "), "Chromium on Android"),
        (CHROME.format("Windows NT 10.0; Win64; x64", "") + " Edg/140.0", "Edge on Windows"),
        (CHROME.format("Macintosh; Intel Mac OS X 10_15_7", "") + " OPR/120.0", "Opera on macOS"),
        (CHROME.format("X11; CrOS x86_64 16000", ""), "Chromium on ChromeOS"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        (SAFARI.format("Macintosh; Intel Mac OS X 10_15_7"), "Safari on macOS"),
        (SAFARI.format("iPhone; CPU iPhone OS 18_0 like Mac OS X"), "Safari on iPhone"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
    ],
)  # fmt: skip
def test_a_device_is_called_what_people_call_it(agent, name):
    """The name is made of a browser and a system that we know, never of the client's own words."""
    assert device_name(agent) == name


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
    assert is_own(Headers(headers)) is own


@pytest.mark.parametrize(
    ("client", "host", "here"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("::1", "[::1]:8000", True),
        ("192.0.2.7", "127.0.0.1:8000", False),
        ("192.0.2.7", "shop.example", False),
        ("127.0.0.1", "rebound.example:8000", False),
        ("", "localhost:8000", False),
    ],
)
def test_only_who_sits_here_and_says_so_is_here(client, host, here):
    """Both the visitor's address and the name they used must be this machine's own."""
    scope = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/", "query_string": b"",
        "client": (client, 5000), "server": ("x", 80), "headers": [(b"host", host.encode())],
    }  # fmt: skip

    assert is_from_here(Request(scope)) is here


def test_a_clock_says_what_is_left():
    """Idle starts anew with this visit, absolute does not, rotation counts from the last one."""
    record = Record(
        format=1, key="k" * 20, version=3, created=NOW - 3_600, seen=NOW - 600,
        idle_until=NOW + 1_200, until=NOW + 3_600, digest=b"", rotated=NOW - 300,
    )  # fmt: skip

    idle, absolute, rotation = clocks(Policy(absolute=minutes(120)), record, NOW)

    assert (idle.left, idle.part) == ("30 min", 1000)
    assert (absolute.left, absolute.part) == ("1 h", 500)
    assert (rotation.left, rotation.part) == ("10 min", 667)


def test_no_clock_runs_where_nothing_is_rotated():
    """A policy without rotation shows two clocks, and idle never goes beyond absolute."""
    record = Record(
        format=1, key="k" * 20, version=1, created=NOW, seen=NOW,
        idle_until=NOW + 60, until=NOW + 60, digest=b"", rotated=NOW,
    )  # fmt: skip

    idle, absolute = clocks(Policy(rotate=None), record, NOW)

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
    Users.create(tmp_path / "users.db", {"ann": "her-password"})
    return Users(tmp_path / "users.db")


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
