"""Owners: what lists and answers give away, and whose sessions whoever can end."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from operator import attrgetter

import msgspec
import pytest

from harness.backends import SHARED_OWNING, as_params
from harness.handlers import logs_in, puts, reads, start, who
from harness.sites import PATIENCE, serve
from mutations.defences import continued_sessions_outlive_an_end
from red_team.attack import events_of, weakened_by
from red_team.workers import NUMBER, workers
from sessile import Cookie, Policy
from sessile.codecs.sealing import AesGcmSealer
from sessile.core.ticket import Key, Ticket
from sessile.service import manage, options
from sessile.service.context import Context
from sessile.service.events import Ended, LimitReached, Malformed
from sessile.stores.contract import OnLimit
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import login
from sessile.testing.world import NEWER
from sessile.web import refusal as refusals

ROTATE = 900
FULL = Policy(limit=1, on_limit=OnLimit.REFUSE)


def logs(user):
    """Return a handler that logs that user in."""
    return lambda session: session.login(user)


def handles_open_sessions(patch):
    """The secret half of a ticket may be left out."""
    parse, proves = Ticket.parse, Ticket.proves

    def lenient(text):
        return parse(text) or Ticket(Key(text[:20]), b"")

    patch.setattr(Ticket, "parse", lenient)
    patch.setattr(
        Ticket, "proves", lambda ticket, digest: not ticket.verifier or proves(ticket, digest)
    )


def lists_show_digests(patch):
    """A list shows what the store knows of a ticket."""
    of = manage.SessionInfo.of.__func__

    def shown(cls, record, *args, **more):
        return msgspec.structs.replace(of(cls, record, *args, **more), device=record.digest.hex())

    patch.setattr(manage.SessionInfo, "of", classmethod(shown))


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(handles_open_sessions, lists_show_digests)
def test_a38_list_of_sessions_opens_none(site):
    """Whoever reads a user's list holds handles: none opens anything, and no secret is among it."""
    cookies = [start(site) for _ in range(3)]
    infos = site.sessions.sync.of("alice", current=cookies[0][4:24])
    told_of = repr(infos) + msgspec.json.encode(infos).decode()

    assert sorted(map(attrgetter("id"), infos)) == sorted(cookie[4:24] for cookie in cookies)
    for cookie in cookies:
        ticket = Ticket.parse(cookie[4:])
        for secret in (cookie[24:], ticket.verifier.hex(), ticket.digest.hex()):
            assert secret not in told_of
    for info in infos:
        for value in (info.id, info.id * 3, info.id + "A" * 40, info.id.ljust(60, "_")):
            assert site.ask(who, f"sid={value}").json is None
    assert [site.ask(who, cookie).json for cookie in cookies] == ["alice"] * 3


def refusals_name_the_user(patch):
    """A login that is refused says whose sessions are too many."""
    emit, forbidden, last = Context.emit, refusals.forbidden, []

    def noted(context, event):
        last[:] = [event.owner] if isinstance(event, LimitReached) else last
        emit(context, event)

    patch.setattr(Context, "emit", noted)
    patch.setattr(refusals, "forbidden", lambda text: forbidden(" ".join([text, *last])))


def answer(reply):
    """Return an answer without what the time makes of it."""
    headers = {name: value for name, value in reply.headers.items() if name != "date"}
    return reply.status, headers, reply.body


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(refusals_name_the_user, policy=FULL)
def test_a38_refused_logins_look_alike(site):
    """Beyond their limit alice and bob get one answer, which names neither; lists are as mute."""
    for user in ("alice", "bob"):
        site.ask(logs(user))
    answers = [answer(site.ask(logs(user))) for user in ("alice", "bob")]
    end = site.sessions.sync.end

    assert answers[0] == answers[1]
    assert (answers[0][0], b"alice" in answers[0][2]) == (403, False)
    assert [event.owner for event in events_of(site, LimitReached)] == ["alice", "bob"]
    assert site.sessions.sync.of("nobody") == []
    assert [end("A" * 20), end("../" * 7), end("")] == [False] * 3


def ids_are_enough_to_end(patch):
    """Whoever names a session ends it, whoever's it is."""
    patch.setattr(manage, "_is_owned", lambda record, owner: True)


def nobody_is_anybody(patch):
    """A visitor who is not logged in passes for an operator."""
    patch.setattr(manage, "_is_owned", lambda record, owner: owner in {None, record.owner})


@weakened_by(ids_are_enough_to_end, nobody_is_anybody)
def test_a38_handle_ends_no_session_of_another_user(site):
    """With ``owner=session.user`` neither mallory nor a stranger ends alice's, or learns of it."""
    cookie, mallory = start(site), site.ask(logs("mallory")).cookie
    stranger = site.ask(puts(v=1)).cookie

    def ends(key, session):
        return site.sessions.sync.end(key, owner=session.user)

    for thief in (mallory, stranger, ""):
        for key in (cookie[4:24], stranger[4:24], "A" * 20):
            assert site.ask(partial(ends, key), thief).json is False
    assert events_of(site, Ended) == []
    assert site.ask(who, cookie).json == "alice"
    assert site.values(stranger) == {"v": 1}
    assert site.ask(partial(ends, cookie[4:24]), cookie).json is True
    assert site.ask(who, cookie).json is None


@contextmanager
def tenants(interface, url, *, place="", **options):
    """Serve two applications; ``place`` is another file, bucket or prefix for the second one."""
    elsewhere = url.replace("/sessile.", f"/{place}sessile.").replace(
        "/natsplace", f"/{place}natsplace"
    )
    for option in ("prefix=", "table="):
        elsewhere = elsewhere.replace(option, option + place)
    with serve(interface, url) as site, serve(interface, elsewhere, **options) as site.neighbour:
        yield site


def proofs_are_not_checked(patch):
    """A record is what the store says, whoever sealed it."""
    patch.setattr(AesGcmSealer, "unseal", lambda sealer, record: {})


def assert_worthless(site, name="sid"):
    """Make sure that a ticket of the one application opens, changes and ends nothing at the other.

    The other way round it is the same, by whatever name of a host the request asks.
    """
    cookie = site.ask(logs_in).cookie
    hosts = ([], [("Host", site.address.removeprefix("http://"))], [("X-Forwarded-Host", "a")])
    for headers in hosts:
        there = f"{name}={cookie[4:]}"
        assert site.neighbour.ask(who, there, headers=headers).json is None
        assert site.neighbour.ask(reads, there, headers=headers).json == {}
        for act in (puts(v=1), logs("bob")):
            issued = site.neighbour.ask(act, there, headers=headers).cookie
            assert issued.partition("=")[2][:20] != cookie[4:24]
            assert site.ask(who, f"sid={issued.partition('=')[2]}").json is None
        site.neighbour.ask(lambda session: session.logout(), there, headers=headers)
        assert site.ask(who, cookie, headers=headers).json == "alice"
    assert site.values(cookie) == {}


@weakened_by(proofs_are_not_checked, serve=tenants, secrets=[NEWER])
def test_a39_tenant_with_secrets_of_its_own_takes_no_foreign_ticket(site):
    """Two applications on one store, each with its secrets: a ticket of the one is none there."""
    assert_worthless(site)
    assert events_of(site.neighbour, Malformed) != []


@weakened_by(
    proofs_are_not_checked,
    serve=tenants,
    secrets=[NEWER],
    cookie=Cookie("other", secure=False),
)
def test_a39_tenant_with_a_cookie_of_its_own_takes_no_renamed_ticket(site):
    """The same where the thief has to rename the cookie, which anybody can."""
    assert_worthless(site, "other")
    assert site.neighbour.ask(who, site.ask(logs_in).cookie).json is None


def places_are_shared(patch):
    """Whatever file or prefix a URL names, it is the same."""
    open_store, opened = options.open_store, []

    def first(url):
        opened.append(open_store(url))
        return opened[0]

    patch.setattr(options, "open_store", first)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(places_are_shared, serve=tenants, place="b")
def test_a39_tenant_with_a_place_of_its_own_has_no_foreign_session(site):
    """With another prefix, or file, the same secrets do no harm, and lists do not mix."""
    assert_worthless(site)
    site.neighbour.ask(logs_in)
    assert len(site.sessions.sync.of("alice")) == 1
    assert site.neighbour.sessions.sync.end_all("alice") == 1
    assert len(site.sessions.sync.of("alice")) == 1


class Crossing:
    """Holds several requests until all have loaded their sessions and somebody lets them go."""

    def __init__(self, number):
        self.arrived = threading.Barrier(number + 1, timeout=PATIENCE)
        self.released = threading.Event()

    def wait(self):
        self.arrived.wait()
        assert self.released.wait(PATIENCE)


def in_flight(site, requests, meanwhile):
    """Hold these requests, as (act, cookie), do that meanwhile, and return their answers."""
    site.gate = Crossing(len(requests))
    with ThreadPoolExecutor(len(requests)) as pool:
        held = [pool.submit(site.ask, act, cookie, held=True) for act, cookie in requests]
        try:
            site.gate.arrived.wait()
            meanwhile()
        finally:
            site.gate.released.set()
    return [one.result() for one in held]


def ended_are_created_anew(patch):
    """A commit of a session that is not there stores it."""
    write = SQLiteStore.commit

    async def reviving(store, change):
        answer = await write(store, change)
        if await store.read(Key(change.record.key)) is None:
            await store.replace(login(change.record, now=0.0))
        return answer

    patch.setattr(SQLiteStore, "commit", reviving)


@pytest.mark.parametrize("url", as_params(SHARED_OWNING), indirect=True)
@weakened_by(ended_are_created_anew, continued_sessions_outlive_an_end)
def test_a14_nothing_in_flight_outlives_the_end_of_a_users_sessions(site):
    """On every device something is under way; after ``end_all`` but the kept one has a session."""
    acts = [
        reads,
        puts(v=1),
        lambda session: session.rotate(),
        lambda session: session.note("changed the password"),
        lambda session: session.step_up("pay", factors=("totp",)),
    ]
    cookies = [start(site) for _ in acts]
    kept = start(site)
    site.clock.advance(ROTATE + 1)
    kept = site.ask(who, kept).cookie
    replies = in_flight(
        site,
        list(zip(acts, cookies, strict=True)),
        lambda: site.sessions.sync.end_all("alice", keep=Key(kept[4:24])),
    )

    assert {(reply.status, reply.set_cookie) for reply in replies} == {(200, None)}
    assert [info.id for info in site.sessions.sync.of("alice")] == [kept[4:24]]
    assert [site.ask(who, cookie).json for cookie in cookies] == [None] * len(acts)
    assert site.ask(who, kept).json == "alice"


def processes_remember(patch):
    """Each process keeps the records that it has read."""
    read, seen = SQLiteStore.read, {}

    async def remembered(store, key):
        if key not in seen:
            seen[key] = await read(store, key)
        return seen[key]

    patch.setattr(SQLiteStore, "read", remembered)


def nobody_is_ended(patch):
    """The one call ends nobody."""

    async def nothing(store):
        pass

    patch.setattr(SQLiteStore, "end_everybody", nothing)


@weakened_by(processes_remember, nobody_is_ended, serve=workers)
def test_a66_one_call_ends_everything_on_every_process(site):
    """The very next request on each of five processes is refused, whoever's ticket it has."""
    cookies = [site.ask(logs_in).cookie for _ in range(4)]
    for cookie in cookies:
        assert [site.ask(who, cookie).json for _ in range(NUMBER)] == ["alice"] * NUMBER
    site.sessions.sync.end_everybody()
    for cookie in cookies:
        assert [site.ask(who, cookie).json for _ in range(NUMBER)] == [None] * NUMBER

    again = site.ask(logs_in).cookie
    assert [site.ask(who, again).json for _ in range(NUMBER)] == ["alice"] * NUMBER
    assert len(site.of("alice")) == 1


@weakened_by(
    nobody_is_ended,
    ended_are_created_anew,
    continued_sessions_outlive_an_end,
    policy=Policy(lock=3_600),
)
def test_a66_one_call_ends_every_kind_of_session(site):
    """Logged in, a stranger, half way in, locked, turned, in flight: all of them are over."""
    locked = start(site)
    site.clock.advance(1_800)
    old = start(site)
    site.clock.advance(ROTATE + 1)
    new = site.ask(reads, old).cookie
    stranger = site.ask(puts(v=1)).cookie
    half = site.ask(lambda session: session.begin_login("bob", factors=("password",))).cookie
    late = [start(site) for _ in range(2)]
    acts = [puts(v=1), lambda session: session.step_up("pay", factors=("totp",))]
    replies = in_flight(site, list(zip(acts, late, strict=True)), site.sessions.sync.end_everybody)

    assert {(reply.status, reply.set_cookie) for reply in replies} == {(200, None)}
    for cookie in (locked, old, new, stranger, half, *late):
        told_of = site.ask(
            lambda session: [session.user, session.locked_user, session.pending, dict(session)],
            cookie,
        )
        assert (told_of.json, told_of.set_cookie) == ([None, None, None, {}], None)
    assert site.of("alice") == []
    assert site.ask(who, site.ask(logs_in).cookie).json == "alice"
