"""Two requests at once over real HTTP: the experiments that the peers fail, on every store."""

import pytest

from harness.backends import OWNING, as_params
from harness.handlers import adds, logs_in, logs_out, puts, reads, start, who
from sessile.core.ticket import Ticket
from sessile.service import events

CROWD = 50


def test_reader_does_not_undo_a_writer(site):
    """A request that only read, and ended last, leaves a faster writer's value alone."""
    cookie = start(site, v=0)
    reader, writer = site.overlap(reads, puts(v=1), cookie)

    assert (reader.status, writer.status) == (200, 200)
    assert site.values(cookie) == {"v": 1}


def test_poller_never_rolls_back_a_writer(site):
    """A poller that moves the idle clock keeps values set and removed meanwhile."""
    cookie = start(site, v=0, gone=1)
    site.clock.advance(600)
    site.overlap(reads, lambda s: s.update(v=s.pop("gone")), cookie)

    assert site.values(cookie) == {"v": 1}


def test_writers_of_different_keys_both_survive(site):
    """Two requests that set different keys both keep what they set."""
    cookie = start(site)
    site.overlap(puts(z=1), puts(v=1), cookie)

    assert site.values(cookie) == {"v": 1, "z": 1}


def test_two_appends_both_survive(site):
    """Two requests that append to one list both keep their item."""
    cookie = start(site, cart=["hat"])
    site.overlap(lambda s: s["cart"].append("shoe"), lambda s: s["cart"].append("sock"), cookie)

    assert sorted(site.values(cookie)["cart"]) == ["hat", "shoe", "sock"]


def test_logout_beats_a_reader_in_flight(site):
    """A reader in flight gets its 200, and the old cookie is dead afterwards."""
    cookie = start(site, v=0)
    reader, logout = site.overlap(reads, logs_out, cookie)

    assert (reader.status, reader.json, reader.set_cookie) == (200, {"v": 0}, None)
    assert logout.deletes
    assert site.ask(who, cookie).json is None


def test_logout_beats_a_writer_in_flight(site):
    """A writer in flight gets its 200, its change is dropped and told, the old cookie is dead."""
    cookie = start(site, v=0)
    writer, _ = site.overlap(puts(v=1), logs_out, cookie)

    assert (writer.status, writer.set_cookie) == (200, None)
    assert site.ask(who, cookie).json is None
    assert [e.keys for e in site.events if isinstance(e, events.Dropped)] == [("v",)]


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
def test_ended_device_stays_ended_under_a_writer(site):
    """A session ended from elsewhere is not brought back by its own request in flight."""
    cookie = start(site, v=0)
    elsewhere = site.ask(logs_in).cookie
    with site.held(puts(v=1), cookie) as late:
        assert site.sessions.sync.end_all("alice", keep=elsewhere[4:24]) == 1

    assert late.result().status == 200
    assert site.ask(who, cookie).json is None
    assert site.ask(who, elsewhere).json == "alice"


def test_client_chosen_id_is_not_adopted(site):
    """Neither a value nor a login ever uses an id that the client brought."""
    planted = f"sid={Ticket.mint(bytes(range(45))).reveal()}"
    for act in (puts(v=1), logs_in):
        issued = site.ask(act, planted).cookie

        assert issued[:24] != planted[:24]
        assert site.values(planted) == {}


def test_old_id_is_dead_after_login(site):
    """The anonymous cookie from before the login opens nothing; its values moved over."""
    old = site.ask(puts(cart=["hat"])).cookie
    new = site.ask(logs_in, old).cookie

    assert new[:24] != old[:24]
    assert site.values(old) == {}
    assert site.values(new) == {"cart": ["hat"]}


def test_old_cookie_after_rotation_deletes_nothing(site):
    """An old cookie that arrives after a rotation is served and handed the successor."""
    old = start(site, v=0)
    site.clock.advance(901)
    new = site.ask(reads, old).cookie
    late = site.ask(reads, old)

    assert late.json == {"v": 0}
    assert late.cookie == new


def test_old_cookie_after_login_deletes_nothing(site):
    """An old cookie that arrives after a login, reading or writing, sets no cookie at all."""
    old = site.ask(puts(v=0)).cookie
    new = site.ask(logs_in, old).cookie

    for act in (reads, puts(v=9), logs_out):
        assert site.ask(act, old).set_cookie is None
    assert site.ask(who, new).json == "alice"
    assert site.values(new) == {"v": 0}


def test_login_beats_a_reader_and_a_writer_in_flight(site):
    """A request in flight during a login sets no cookie over that of the login."""
    for act in (reads, puts(v=1)):
        old = site.ask(puts(v=0)).cookie
        late, login = site.overlap(act, logs_in, old)

        assert late.set_cookie is None
        assert site.ask(who, login.cookie).json == "alice"


def test_crowd_at_rotation_time_loses_nothing(site):
    """Fifty parallel requests at renewal time leave one successor and every increment."""
    cookie = start(site, hits=0)
    site.clock.advance(901)
    replies = site.crowd(adds, cookie, CROWD)

    assert {reply.status for reply in replies} == {200}
    successors = {reply.cookie for reply in replies}
    assert len(successors) == 1
    new = successors.pop()
    assert new != cookie
    assert site.values(new) == {"hits": CROWD}
    assert site.ask(who, new).json == "alice"


@pytest.mark.parametrize("url", as_params(OWNING), indirect=True)
def test_simultaneous_logins_under_a_limit_leave_one(limited_site):
    """Fifty logins of one user at once, with a limit of one, leave one live session."""
    replies = limited_site.crowd(logs_in, "", CROWD)

    live = [r.cookie for r in replies if limited_site.ask(who, r.cookie).json == "alice"]
    assert len(live) == 1
    assert len(limited_site.sessions.sync.of("alice")) == 1


def test_read_sets_no_cookie(site):
    """A request that only reads is answered without Set-Cookie, and varies by cookie."""
    cookie = start(site, v=0)
    reply = site.ask(reads, cookie)

    assert reply.set_cookie is None
    assert reply.headers["vary"] == "Cookie"


def test_cookieless_requests_leave_no_record(site):
    """Hundreds of anonymous hits make no record and get no cookie."""
    replies = [site.ask(reads) for _ in range(300)]

    assert {reply.set_cookie for reply in replies} == {None}
    assert site.events == []


def turn(site, cookie):
    """Return the next ticket of a page that polls, and goes on with it for two minutes."""
    site.clock.advance(901)
    new = site.ask(reads, cookie).cookie
    for _ in range(3):
        site.ask(reads, new)
        site.clock.advance(60)
    return new


def test_upload_that_a_proxy_held_back_is_saved(site):
    """Nginx waits until it is whole; the page's ticket turns meanwhile, twice: it is no theft."""
    before = start(site)
    after = turn(site, before)
    site.clock.advance(120)
    once = site.ask(puts(upload="a.mp4"), before)
    after = turn(site, after)
    twice = site.ask(puts(more="b.mp4"), before)

    assert [(reply.status, reply.set_cookie) for reply in (once, twice)] == [(200, None)] * 2
    assert site.values(after) == {"upload": "a.mp4", "more": "b.mp4"}
    told = [e.returned for e in site.events if isinstance(e, events.StaleTicket)]
    assert told == [False, False]


def test_browser_that_was_killed_goes_on(site):
    """Started again it shows the ticket of before, in many requests at once: all are served."""
    before = start(site, v=0)
    site.clock.advance(901)
    lost = site.ask(reads, before).cookie
    site.ask(reads, lost)
    site.clock.advance(600)
    replies = site.rush(adds, before, 8)

    assert {reply.status for reply in replies} == {200}
    assert {reply.cookie for reply in replies} == {lost}
    assert site.ask(who, lost).json == "alice"
    assert site.values(lost)["hits"] == 8
