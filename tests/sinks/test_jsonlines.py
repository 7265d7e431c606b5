"""Events in a log: what a line says, how loud, and what stands for a user."""

import logging
import math
from pathlib import Path

import pytest

from sessile.core.binding import OnMismatch
from sessile.core.client import Client
from sessile.core.identity import Lock
from sessile.errors import ConfigError, WeakSecret
from sessile.service import events
from sessile.service.events import End, RefusalReason
from sessile.sinks.jsonlines import JsonLines
from sessile.sinks.users import Users, pseudonym
from sinks.hostile import NOW

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
KEY = b"xK8#mQ2$vL5!nR9@pT3^wZ7&bY4*cF6h"
OTHER = b"hQ3_xNw8kV5z-Bj2Tm7pXe9Ry4Gf6Ds1"
ID = "iLI9UbL0Zm4BcQESZuYy"
PHONE = Client("203.0.113.7", "Chrome", "Android", 42)


def test_line_is_what_the_documentation_shows(log):
    """Name, time, id and client come first, then the event's own fields."""
    JsonLines()(events.Ended(1_792_213_384.25, ID, End.LOGOUT, "alice", client=PHONE))

    assert log.text == (
        'INFO {"event":"Ended","at":"2026-10-17T05:03:04.250Z","session":"iLI9UbL0Zm4BcQESZuYy",'
        '"client":{"address":"203.0.113.7","browser":"Chrome","system":"Android"},'
        '"reason":"LOGOUT"}\n'
    )
    assert log.text.partition(" ")[2] in PAGE.read_text()


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (events.Created(NOW, ID), "INFO"),
        (events.LoggedIn(NOW, ID, "alice"), "INFO"),
        (events.Ended(NOW, ID, End.LOGOUT, "alice"), "INFO"),
        (events.Ended(NOW, ID, End.REPLAY, "alice"), "WARNING"),
        (events.Ended(NOW, ID, End.THEFT, "alice"), "WARNING"),
        (events.Ended(NOW, ID, End.MISMATCH, "alice"), "WARNING"),
        (events.Locked(NOW, ID, Lock.IDLE, "alice"), "INFO"),
        (events.Locked(NOW, ID, Lock.MISMATCH, "alice"), "WARNING"),
        (events.Locked(NOW, ID, Lock.REPLAY, "alice"), "WARNING"),
        (events.StaleTicket(NOW, ID, "alice", returned=True), "INFO"),
        (events.Replayed(NOW, ID, "alice", PHONE, NOW), "WARNING"),
        (events.Mismatched(NOW, ID, "alice", PHONE, OnMismatch.RECORD), "WARNING"),
        (events.Refused(NOW, ID, RefusalReason.SHAPE), "WARNING"),
        (events.LimitReached(NOW, None, "alice"), "WARNING"),
        (events.Malformed(NOW, ID), "WARNING"),
        (events.CrossSite(NOW, None, "https://evil.example"), "WARNING"),
        (events.StoreFailing(NOW, None, "redis://cache", "timed out"), "ERROR"),
    ],
    ids=lambda given: type(given).__name__ if isinstance(given, events.Event) else "",
)
def test_attacks_warn_and_a_failing_store_is_an_error(event, level, log):
    """How loud an event is follows from what it may mean."""
    JsonLines()(event)

    assert log.text.partition(" ")[0] == level


def test_silent_logger_is_left_alone(log):
    """What the logger would not show is not written."""
    logging.getLogger("sessile.events").setLevel(logging.WARNING)
    JsonLines()(events.Created(NOW, ID))

    assert log.text == ""


def test_pseudonym_tells_users_apart(log):
    """One user is one pseudonym under one key, which can be computed to search for it."""
    JsonLines(users=Users.PSEUDONYM, key=KEY)(events.LoggedIn(NOW, ID, "alice"))
    written = log.only()["owner"]

    assert written == pseudonym("alice", KEY)
    assert len({written, pseudonym("bob", KEY), pseudonym("alice", OTHER)}) == 3
    assert len(written) == 32


@pytest.mark.parametrize(
    ("users", "key", "error"),
    [
        (Users.PSEUDONYM, None, ConfigError),
        (Users.PLAIN, KEY, ConfigError),
        (Users.OMITTED, KEY, ConfigError),
        (True, None, ConfigError),
        (Users.PSEUDONYM, b"short", WeakSecret),
        (Users.PSEUDONYM, b"", WeakSecret),
        (Users.PSEUDONYM, b"ab" * 20, WeakSecret),
    ],
)
def test_wrong_naming_is_told_at_start(users, key, error):
    """A pseudonym takes a key that cannot be guessed, and nothing else takes one."""
    with pytest.raises(error):
        JsonLines(users=users, key=key)


def test_repr_shows_no_key():
    """Neither the hook nor what it holds shows the key of the pseudonyms."""
    hook = JsonLines(users=Users.PSEUDONYM, key=KEY)

    assert repr(hook) == "<JsonLines to sessile.events>"
    assert KEY.decode() not in repr(hook._user_name)


def test_long_text_is_cut(log):
    """256 characters of a text are written; an ellipsis marks the cut."""
    JsonLines()(events.CrossSite(NOW, None, "o" * 257))
    JsonLines()(events.CrossSite(NOW, None, "p" * 256))

    assert f'"{"o" * 256}\\u2026"' in log.text
    assert f'"{"p" * 256}"' in log.text


def test_long_list_is_cut(log):
    """16 items of 64 characters are written; an ellipsis marks each cut."""
    JsonLines()(events.Dropped(NOW, ID, ("k" * 65, "l" * 64, *"a" * 15)))
    keys = log.only()["keys"]

    assert keys == ["k" * 64 + "…", "l" * 64, *"a" * 14, "…"]


def test_list_that_fits_is_whole(log):
    """What is just short enough stands there to its end."""
    JsonLines()(events.Dropped(NOW, ID, tuple("a" * 16)))

    assert log.only()["keys"] == ["a"] * 16


@pytest.mark.parametrize("at", [math.nan, math.inf, -math.inf, 1e300])
def test_time_that_no_calendar_has_is_null(at, log):
    """A clock gone mad costs the time, not the line."""
    JsonLines()(events.Replayed(at, ID, None, PHONE, at))
    line = log.only()

    assert (line["at"], line["evidence"]) == (None, None)


def test_number_that_json_lacks_is_null(log):
    """Infinity is not JSON."""
    JsonLines()(events.Timed(NOW, ID, events.Work.OPEN, math.inf))

    assert log.only()["took"] is None


def test_unknown_type_is_named_and_not_shown(log):
    """A field of a type without a rule might hold anything, so only its type is written."""

    class Odd(events.Event, frozen=True):
        odd: object

    JsonLines()(Odd(NOW, ID, {"password": "hunter2"}))

    assert log.only()["odd"] == "<dict>"


def test_unknown_client_has_no_empty_fields(log):
    """Of a client only what is known is written, and none where no request was."""
    JsonLines()(events.Created(NOW, ID, client=Client("::1")))

    assert log.only()["client"] == {"address": "::1"}
