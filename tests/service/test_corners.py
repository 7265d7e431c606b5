"""Corners where a session could have been lost, kept or given away. Each was found by trying."""

import pytest

from sessile import Policy, Sessions
from sessile.core.binding import Binding, Mismatch
from sessile.core.change import Change
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.errors import StoreUnavailable, WeakSecret
from sessile.service import events
from sessile.service.commit import accept_visit, save_visit
from sessile.service.opening import open_visit
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, FIREFOX, HOME, NEWER, SECRET, World


def logs_in(session):
    session.login("alice")


def _trail(session):
    return session.record.trail


def test_value_set_again_after_logout_is_kept():
    """A language carried over a logout is stored, though it is the one that stood there before."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.update(lang="de"), s.login("alice")))

    def keeps_language(session):
        lang = session["lang"]
        session.logout()
        session["lang"] = lang

    world.ask(keeps_language)

    assert world.values() == {"lang": "de"}


def test_login_after_logout_starts_empty():
    """Logging out and in as somebody else in one request carries nothing over."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.update(secret=1), s.login("alice")))
    world.ask(lambda s: (s.logout(), s.login("bob")))

    assert world.values() == {}
    assert world.ask(dict).user == "bob"


@pytest.mark.parametrize("finishes", [lambda s: s.login("bob"), lambda s: s.begin_login("bob")])
@pytest.mark.parametrize("pause", [0, 3600])
def test_half_finished_login_leaves_another_user_nothing(finishes, pause):
    """What was kept while alice's second factor was awaited is hers, in time or not."""
    world = World(MemoryStore(), run, policy=Policy(idle=7200))
    world.ask(lambda s: s.begin_login("alice"))
    world.ask(lambda s: s.update(enrolment="hers"))
    world.clock.advance(pause)
    world.ask(finishes)

    assert world.values() == {}
    assert "begin a login" not in [line.what for line in world.ask(_trail).result][:-1]


def test_half_finished_login_keeps_its_values_for_its_user():
    """A cart filled before the second factor is there after it."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.begin_login("alice"))
    world.ask(lambda s: s.update(cart="socks"))
    world.ask(lambda s: s.finish_login(factors=("totp",)))

    assert world.values() == {"cart": "socks"}


def test_unreadable_value_goes_to_no_other_user():
    """What nobody can read now, a newer release might: it stays behind like the rest."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: (s.login("alice"), s.update(odd=1)))
    store, parts = world.sessions.parts.store, world.sessions.parts
    record = run(store.read(world.ask(lambda s: s.id).result, world.clock()))
    draft, _ = parts.sealer.seal(record, {"odd": b"\xc1"}, frozenset(), version=record.version + 1)
    run(store.commit(Change(draft, record.version)))
    world.ask(lambda s: (s.get("odd"), s.login("bob")))

    record = run(store.read(world.ask(lambda s: s.id).result, world.clock()))
    assert (record.owner, record.data) == ("bob", {})


@pytest.mark.parametrize(("given", "persistent"), [("on", True), (None, False), (1, True)])
def test_remember_takes_what_a_form_gives(given, persistent):
    """``remember=form.get("remember")`` makes a session that can be opened."""
    world = World(MemoryStore(), run)
    reply = world.ask(lambda s: s.login("alice", remember=given))

    assert ("Max-Age" in reply.set_cookie) is persistent
    assert world.ask(dict).user == "alice"


def test_rise_of_assurance_keeps_device_and_remembrance():
    """Proving more says nothing of the device, so both stay as they were."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice", remember=True, device="Phone"))
    reply = world.ask(lambda s: s.login("alice", assurance=2))
    (info,) = world.sessions.sync.of("alice")

    assert (info.device, info.remembered, info.assurance) == ("Phone", True, 2)
    assert "Max-Age" in reply.set_cookie


def test_server_without_secrets_opens_no_sealed_session():
    """A server that was given no secrets takes a sealed record for absent, and harms it not."""
    store = MemoryStore()
    right = World(store, run)
    right.ask(lambda s: (s.update(cart=[1]), s.login("alice")))
    wrong = Sessions(store=store, clock=right.clock)
    from sessile.service.commit import commit_visit

    visit = run(open_visit(wrong.parts, PlainRequest({"cookie": right.cookie})))
    seen = (visit.session.user, visit.session.get("cart"))
    run(commit_visit(wrong.parts, visit))

    assert seen == (None, None)
    assert right.values() == {"cart": [1]}


class NeverSwept(MemoryStore):
    """A store whose sweep meets a locked file."""

    async def sweep(self, now, batch=1000):
        raise StoreUnavailable(self.name, "locked")


def test_failing_sweep_fails_no_login():
    """Housekeeping that falls to a login does not turn it into an error."""
    world = World(NeverSwept(), run)
    cookies = [world.ask(logs_in, cookie="").cookie for _ in range(130)]

    assert world.ask(dict, cookie=cookies[-1]).user == "alice"


def test_remains_are_no_session_for_operators():
    """What is left of an ended session is not shown, listed or ended; late requests stay late."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)
    old, key = world.cookie, world.ask(lambda s: s.id).result
    world.ask(lambda s: s.logout())

    assert world.sessions.sync.show(key) is None
    assert world.sessions.sync.of("alice") == []
    assert world.sessions.sync.end(key) is False
    assert world.ask(lambda s: s.update(v=1), cookie=old).set_cookie is None
    assert world.events_of(events.Dropped)


def test_reader_of_a_corrupt_value_writes_nothing():
    """A value that cannot be read counts as absent and is told; reading does not remove it."""
    store = MemoryStore()
    world = World(store, run)
    sessions = Sessions(store=store, clock=world.clock, hooks=[world.events.append])
    world.sessions = sessions
    world.ask(lambda s: s.update(a=1, b=2))
    (key,) = store._rows
    store._rows[key] = store._rows[key].replace(b"\xa1b\xc4\x01\x02", b"\xa1b\xc4\x01\xc1")
    version = sessions.sync.show(key).version
    held = world.ask(lambda s: ("b" in s, s.get("b"), s["a"])).result

    assert held[1:] == (None, 1)
    assert world.events_of(events.Malformed)
    assert sessions.sync.show(key).version == version
    world.ask(lambda s: s.update(b=3))
    assert world.values() == {"a": 1, "b": 3}


def test_ring_is_bounded():
    """What a stranger's ticket costs grows with the ring, so a ring has four secrets at most."""
    many = [f"{NEWER}{n}" for n in range(5)]
    with pytest.raises(WeakSecret, match="retire the oldest"):
        Sessions(store=MemoryStore(), secrets=many)

    assert Sessions(store=MemoryStore(), secrets=[SECRET, *many[:3]])


def test_login_ends_when_its_identity_provider_says():
    """A session lives no longer than the login that a provider vouched for, and no later either."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice", until=world.clock() + 60.0))
    world.clock.advance(59.0)
    before = world.ask(lambda s: s.user).result
    world.clock.advance(1.0)

    assert (before, world.ask(lambda s: s.user).result) == ("alice", None)
    world.ask(lambda s: s.login("alice", until=world.clock() + 1e9))
    assert world.ask(lambda s: s.record.until - s.record.created).result == Policy().absolute


def test_session_of_somebody_else_is_not_ended():
    """Who asks to end a session of their own ends no other, and learns nothing of it."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice"))
    session_id = world.ask(lambda s: s.id).result
    end = world.sessions.sync.end

    assert [end(session_id, owner=who) for who in ("mallory", None, "alice")] == [
        False,
        False,
        True,
    ]


def moved_socket():
    """Return a world whose policy turns tickets, and the visit of a WebSocket from elsewhere."""
    world = World(MemoryStore(), run, policy=Policy(binding=Binding(mismatch=Mismatch.ROTATE)))
    world.ask(logs_in)
    said = PlainRequest({"cookie": world.cookie, "user-agent": FIREFOX}, peer=ABROAD)
    return world, run(open_visit(world.sessions.parts, said))


def test_handshake_from_elsewhere_turns_the_ticket():
    """A WebSocket that moves a session takes the new ticket with its accept, as a request would."""
    world, visit = moved_socket()
    _, cookie = run(accept_visit(world.sessions.parts, visit))

    assert cookie.partition(";")[0] != world.cookie
    assert world.ask(dict, cookie=cookie.partition(";")[0], peer=ABROAD).user == "alice"


def test_socket_that_cannot_bring_a_ticket_moves_nothing():
    """Where no cookie can be sent the session stays with its client, and what was set is saved."""
    world, visit = moved_socket()
    visit.session["v"] = 1
    assert run(save_visit(world.sessions.parts, visit))
    (info,) = world.sessions.sync.of("alice")

    assert (info.address, [line.what for line in info.trail]) == (HOME, ["login"])
    assert world.values() == {"v": 1}
    assert world.ask(dict, cookie=world.cookie, peer=ABROAD).set_cookie is not None


@pytest.mark.parametrize("ended", [True, False])
def test_late_request_tells_why_its_session_is_over(ended):
    """A request longer than the idle time tells that its session expired, if it did not end."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)

    def slow(session):
        if ended:
            world.sessions.sync.end_all("alice")
        world.clock.advance(1801)
        session["v"] = 1

    world.ask(slow)

    assert bool(world.events_of(events.Expired)) is not ended
    assert world.events_of(events.Dropped)
