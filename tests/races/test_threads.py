"""What users of other libraries ran into, over real HTTP on every store: ``docs/promises.md``.

Whatever takes two overlapping requests of the usual kinds is in ``test_overlapping``.
"""

import pytest

from harness.backends import OWNING, as_params
from harness.handlers import logs_in, logs_out, names, puts, reads, start, who
from harness.sites import serve
from sessile import Policy
from sessile.core.flow import run
from sessile.core.record import TOMBSTONE_TTL, RecordKind
from sessile.service.sessions import context_of


@pytest.fixture
def steady_site(url, interface):
    """A site whose tickets do not turn."""
    with serve(interface, url, policy=Policy(rotate=None)) as site:
        yield site


def commits(site):
    """Return a list that grows by every change the store is asked to commit."""
    store, asked = context_of(site.sessions).store, []
    commit = store.commit
    store.commit = lambda change: (asked.append(change), commit(change))[1]
    return asked


def records(site):
    """Return every record there is, tombstones and what has expired included."""
    store, found, cursor = context_of(site.sessions).store, [], None
    while True:
        page = run(store.scan(cursor))
        found += page.records
        cursor = page.cursor
        if cursor is None:
            return found


HELD = {"n": 1, "old": 0, "list": [1, 2], "deep": {"rows": [{"n": 1}]}}
EDITS = {
    "s[k] = v": (lambda s: s.__setitem__("n", 2), {**HELD, "n": 2}),
    "del s[k]": (lambda s: s.__delitem__("old"), {"n": 1, "list": [1, 2], "deep": HELD["deep"]}),
    "pop": (lambda s: s.pop("old"), {"n": 1, "list": [1, 2], "deep": HELD["deep"]}),
    "popitem": (lambda s: s.popitem(), {k: HELD[k] for k in ("n", "old", "list")}),
    "clear": (lambda s: s.clear(), {}),
    "update": (lambda s: s.update({"n": 3, "new": 4}), {**HELD, "n": 3, "new": 4}),
    "|=": (lambda s: s.__ior__({"n": 5}), {**HELD, "n": 5}),
    "setdefault": (lambda s: s.setdefault("new", []).append(6), {**HELD, "new": [6]}),
    "increment": (lambda s: s.increment("n", 6), {**HELD, "n": 7}),
    "append": (lambda s: s["list"].append(3), {**HELD, "list": [1, 2, 3]}),
    "list.clear": (lambda s: s["list"].clear(), {**HELD, "list": []}),
    "deep edit": (
        lambda s: s["deep"]["rows"][0].update(n=8),
        {**HELD, "deep": {"rows": [{"n": 8}]}},
    ),
    "get, then edit": (lambda s: s.get("list").remove(1), {**HELD, "list": [2]}),
    "values, then edit": (
        lambda s: [v.append(9) for v in s.values() if isinstance(v, list)],
        {**HELD, "list": [1, 2, 9]},
    ),
}


def test_every_edit_is_there_in_the_next_request(site):
    """Whatever changes a dict, a list or what is in them is saved, with no flag to be set."""
    for name, (edit, expected) in EDITS.items():
        cookie = site.ask(puts(**HELD)).cookie
        site.ask(lambda session, edit=edit: edit(session) and None, cookie)

        assert site.values(cookie) == expected, name


def test_reading_alone_keeps_a_session_alive(steady_site):
    """Reads move the idle clock without data or cookie, one in a twentieth of the idle time."""
    site = steady_site
    cookie = start(site, v=1)
    asked = commits(site)
    for _ in range(60):
        site.clock.advance(45)
        reply = site.ask(reads, cookie)
        assert (reply.json, reply.set_cookie) == ({"v": 1}, None)

    assert len(asked) == 30
    assert [change for change in asked if change.set or change.removed] == []


def test_idle_absolute_and_last_seen_are_three_clocks(steady_site):
    """A read moves when a session was seen and when it idles out, never when it ends at last."""
    site = steady_site
    cookie = start(site)
    key = site.ask(names, cookie).json
    born = site.clock()
    for act in (reads, puts(v=1)):
        now = site.clock.advance(600)
        site.ask(act, cookie)
        shown = site.sessions.sync.show(key)

        assert (shown.created, shown.last_seen) == (born, now)
        assert (shown.expires, shown.ends) == (now + 1800, born + 43_200)


def test_login_after_the_end_starts_every_clock_anew(steady_site):
    """Whoever logs in with an expired cookie has all the time of a new session."""
    site = steady_site
    dead = start(site, v=1)
    now = site.clock.advance(43_200)
    assert site.ask(who, dead).json is None
    cookie = site.ask(logs_in, dead).cookie
    shown = site.sessions.sync.show(site.ask(names, cookie).json)

    assert (shown.created, shown.last_seen, shown.ends) == (now, now, now + 43_200)
    assert site.values(cookie) == {}


def test_long_request_takes_no_activity_back(steady_site):
    """A request that began before, and ends on a server whose clock is behind, ages no session."""
    site = steady_site
    cookie = start(site)
    key = site.ask(names, cookie).json
    with site.held(puts(v=1), cookie) as long:
        seen = site.clock.advance(1700)
        site.ask(reads, cookie)
        site.clock.advance(-1600)
    assert long.result().status == 200

    shown = site.sessions.sync.show(key)
    assert (shown.last_seen, shown.expires) == (seen, seen + 1800)
    site.clock.advance(1600 + 1700)
    assert site.values(cookie) == {"v": 1}


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
def test_ends_leave_one_record_or_none(site):
    """One session after a login or a rotation, none after a logout; tombstones open nothing."""
    anonymous = site.ask(puts(v=1)).cookie
    first = site.ask(logs_in, anonymous).cookie
    second = site.ask(lambda session: session.rotate(), first).cookie
    live = [record for record in records(site) if record.kind is RecordKind.SESSION]
    assert [record.key for record in live] == [site.ask(names, second).json]

    site.ask(logs_out, second)
    for record in records(site):
        assert (record.kind, record.owner) == (RecordKind.TOMBSTONE, None)
        assert record.data.keys() <= {"login"}  # which took its place
    for cookie in (anonymous, first, second):
        assert site.values(cookie) == {}
    now = site.clock.advance(TOMBSTONE_TTL)
    assert [record for record in records(site) if record.live_at(now)] == []


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
def test_login_form_sent_twice_is_one_login_in_the_end(limited_site):
    """Of two logins of one browser at once neither fails, and the last answer's cookie is in."""
    site = limited_site
    cookie = site.ask(puts(cart=["hat"])).cookie
    last, first = site.overlap(logs_in, logs_in, cookie)

    assert (first.status, last.status) == (200, 200)
    assert [site.ask(who, reply.cookie).json for reply in (first, last)] == [None, "alice"]
    assert site.values(last.cookie) == {"cart": ["hat"]}
    assert len(site.sessions.sync.of("alice")) == 1


def test_logout_form_sent_twice_is_no_error(site):
    """Of two logouts of one browser at once neither fails, and the session is over."""
    cookie = start(site, v=1)
    last, first = site.overlap(logs_out, logs_out, cookie)

    assert (first.status, last.status) == (200, 200)
    assert site.ask(who, cookie).json is None
    assert site.of("alice") == []


def test_form_sent_twice_during_a_login_is_no_error(site):
    """A form that is saved while the same browser logs in is answered as ever, never with 400."""
    for act in (reads, puts(v=1)):
        cookie = site.ask(puts(v=0)).cookie
        late, login = site.overlap(act, logs_in, cookie)

        assert (late.status, login.status) == (200, 200)
        assert site.ask(who, login.cookie).json == "alice"
