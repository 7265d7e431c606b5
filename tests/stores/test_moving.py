"""Moving to another store: a session is in one of the two, whole, wherever anybody is stopped."""

import pytest

from harness.backends import MOVING
from sessile import Limit, OnLimit
from sessile.core.flow import run
from sessile.core.record import RecordKind, evolve
from sessile.errors import ConfigError, StoreUnavailable
from sessile.service.events import Dropped
from sessile.stores.contract import Change, Committed, Record, Replacement
from sessile.stores.memory import MemoryStore
from sessile.stores.moving import MovingStore
from sessile.testing.clock import T0
from sessile.testing.conformance import SessionContract, StoreContract
from sessile.testing.promises.watching import Watching
from sessile.testing.sample import change, key, login, record
from sessile.testing.step import Stepped, interleavings, interruptions
from sessile.testing.world import World

KEY = key("a")
ALICES = record("a", owner="alice", version=7, data={"cart": b"hat"})


class TestMoving(StoreContract, backends=[MOVING]):
    """A store that takes over keeps what every store promises."""


class TestWatchingOnTheMove(SessionContract, backends=[MOVING], groups=[Watching]):
    """What is open ends with its session, though that has moved since."""


class Two(MovingStore):
    """A store in memory that takes over from another one, which holds a session of alice's."""

    def __init__(self, *records, store=None):
        super().__init__(store or MemoryStore(), Former(), clock=lambda: T0)
        for one in records or (ALICES,):
            if one.owner is None:
                run(self.former.create(one))
            else:
                run(self.former.replace(Replacement(one, T0)))

    def rows(self):
        """Return what is in each."""
        return {*self.former._rows}, {*self.store._rows}


class Former(MemoryStore):
    """The other one, by another name."""

    def __init__(self):
        super().__init__()
        self.name = "memory://former"


def delete(two):
    return two.delete(KEY, "alice")


def delete_owned(two):
    return two.delete_owned("alice")


def end_everybody(two):
    return two.end_everybody()


async def log_in_alone(two):
    """Log alice in where she may have one session."""
    limit = Limit(1, OnLimit.END_OLDEST)
    await two.replace(Replacement(record("new", owner="alice"), T0, limit))


async def log_in_instead(two):
    """Log alice in once more in the place of this session."""
    old = await two.read(KEY)
    if isinstance(old, Record):
        await two.replace(Replacement(record("new", owner="alice"), T0, None, old))


ENDS = [delete, delete_owned, end_everybody, log_in_alone, log_in_instead]


@pytest.mark.parametrize(
    "found", [ALICES, record("a"), record("a", pending=None, data={"v": b"1"})]
)
def test_session_moves_with_its_first_request(found):
    """It arrives to the last bit, and is no more where it was."""
    two = Two(found)

    assert run(two.read(KEY)) == found
    assert run(two.read(KEY)) == found
    assert two.rows() == (set(), {KEY})
    assert isinstance(run(two.commit(change(found))), Committed)


def test_sessions_of_a_user_are_those_of_both():
    """Lists, ends and limits see what has not moved yet."""
    two = Two(*(record(name, owner="alice") for name in "abc"))
    run(two.replace(login(record("d", owner="alice"))))
    page = run(two.owned_by("alice"))
    assert [one.key for one in page.records] == [key(name) for name in "dabc"]

    two = Two(*(record(name, owner="alice") for name in "abc"))
    assert len(run(two.delete_owned("alice")).keys) == 3
    assert two.rows() == (set(), set())


def test_scan_and_count_see_both():
    """Each is on one page at least, as it is, though it stands in the middle of a move."""
    two = Two(record("a"), record("b"))
    run(two.create(record("c")))
    run(two.read(key("b")))
    run(two.former.commit(Change(evolve(record("a"), kind=RecordKind.MOVING, version=2), 1)))
    found, cursor = [], None
    while True:
        page = run(two.scan(cursor, 1))
        found += page.records
        if (cursor := page.cursor) is None:
            break

    assert sorted(found, key=lambda one: one.key) == sorted(
        (record(name) for name in "abc"), key=lambda one: one.key
    )
    assert run(two.count()) == 3


def test_what_is_no_session_moves_too():
    """The list of a user's devices, and evidence, are asked for by their keys."""
    for kind in (RecordKind.DEVICES, RecordKind.EVIDENCE, RecordKind.TOMBSTONE):
        row = record("a", kind=kind, owner="alice" if kind is RecordKind.EVIDENCE else None)
        two = Two(record("b"))
        run(two.former.create(row))

        assert run(two.read(KEY)) == row
        assert KEY in two.store._rows
        assert KEY not in two.former._rows


def test_expired_session_stays_where_it_is():
    """Nobody is served by it, so it is not worth a move."""
    dead = record("a", at=T0 - 1e6)
    two = Two(dead)

    assert run(two.read(KEY)) == dead
    assert two.rows() == ({KEY}, set())


def test_two_readers_get_it_both():
    """Whoever else moves it just then, each is served, and it moves once."""
    for met in interleavings(Two, lambda two: two.read(KEY), lambda two: two.read(KEY)):
        assert (met.a.get(), met.b.get()) == (ALICES, ALICES), met.stop
        assert met.world.rows() == (set(), {KEY}), met.stop


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("ends_in_the_middle", [True, False])
def test_ended_session_is_brought_back_by_no_move(end, ends_in_the_middle):
    """Wherever the end falls in a move, or a move in an end: it is over in both stores."""
    flows = (lambda two: two.read(KEY), end)
    for met in interleavings(Two, *(flows if ends_in_the_middle else reversed(flows))):
        met.a.get(), met.b.get()
        assert gone(met.world), met.stop


@pytest.mark.parametrize("end", ENDS)
def test_ended_session_is_not_brought_back_into_redis(server, store, end):
    """What keeps the place of a session there is ended like any session."""

    def begin():
        server.ask("FLUSHALL")
        return Two(store=store)

    for met in interleavings(begin, lambda two: two.read(KEY), end):
        met.a.get(), met.b.get()
        assert gone(met.world), met.stop


def gone(two):
    """Tell whether nobody is served by the session any more."""
    found = run(two.read(KEY))
    return found is None or found.kind is RecordKind.TOMBSTONE


def test_move_that_was_given_up_goes_on():
    """Whatever act of it fails or loses its answer, the next request finds the session whole."""
    stops = []
    for cut in interruptions(Two, lambda two: two.read(KEY)):
        stops.append(cut.stop)
        assert isinstance(cut.outcome.error, StoreUnavailable), cut.stop
        assert run(cut.world.read(KEY)) == ALICES, cut.stop
        run(cut.world.move(KEY))
        assert cut.world.rows() == (set(), {KEY}), cut.stop
    assert len(stops) >= 12


@pytest.mark.parametrize("end", ENDS)
def test_end_behind_a_move_that_was_given_up_holds(end):
    """What the move left in either store brings nothing back."""
    for cut in interruptions(Two, lambda two: two.read(KEY)):
        run(end(cut.world))
        assert gone(cut.world), cut.stop


@pytest.mark.parametrize("moves_in_the_middle", [True, False])
def test_commit_by_the_former_store_is_kept_or_refused(moves_in_the_middle):
    """A server that was not told yet writes into the session, and that moves, or it does not."""
    newer = evolve(ALICES, version=8, data={"cart": b"hat and socks"})

    async def commit(two):
        return await two.former.commit(Change(newer, 7))

    flows = (lambda two: two.read(KEY), commit)
    kept = set()
    for met in interleavings(Two, *(flows if not moves_in_the_middle else reversed(flows))):
        written = met.b if not moves_in_the_middle else met.a
        is_kept = isinstance(written.get(), Committed)
        assert run(met.world.read(KEY)) == (newer if is_kept else ALICES), met.stop
        kept.add(is_kept)
    assert kept == {True, False}


def test_login_tombstone_is_left_though_it_has_not_moved():
    """A request that is late at a session that was ended in the former store is known by it."""
    two = Two()
    grave = record("a", version=0, idle=120.0, kind=RecordKind.TOMBSTONE)

    assert run(two.delete(KEY, "alice", leaving=grave)) == ALICES
    assert run(two.read(KEY)) == grave


def test_store_that_is_the_former_one_is_refused(tmp_path):
    """By either spelling of its place: nothing could be told from what has moved."""
    with pytest.raises(ConfigError, match="former=memory:// is the store itself"):
        MovingStore(MemoryStore(), MemoryStore())
    with pytest.raises(ConfigError, match="is the store itself"):
        MOVING.store.at(tmp_path / "a.db", tmp_path / ".." / tmp_path.name / "a.db")


def test_request_of_a_server_that_was_not_told_is_dropped_aloud():
    """What it had read in the former store it writes nowhere, and an event says so."""
    former = Former()
    before = World(former, run)
    before.ask(lambda session: session.login("alice"))
    before.ask(dict)
    request = Stepped(before.request(before.cookie, lambda session: session.update(v=1)))
    request.step()
    after = World(MovingStore(MemoryStore(), former), run, clock=before.clock)
    after.cookie = before.cookie
    assert after.ask(lambda session: session.user).result == "alice"
    assert request.finish().get().set_cookie is None

    assert [event.keys for event in before.events_of(Dropped)] == [("v",)]
    assert after.values() == {}
