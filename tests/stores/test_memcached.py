"""What is memcached's own in its store: commands, tokens, names, sizes, and two servers as one."""

import re

import pytest

from harness.memcached_server import MemcachedServer
from sessile.core.flow import run
from sessile.core.record import RecordKind, pack
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores import read_tokens
from sessile.stores.contract import COMMITTED, GONE, Conflict, Record, Replaced
from sessile.stores.memcached import MemcachedStore
from sessile.stores.memcached_generations import GENERATION
from sessile.testing.sample import change, key, login, record
from sessile.testing.step import Stepped

PATIENT = "timeout=20"
ROW = f"sessile:{key('a')}"
GRAVE = record("a", idle=120.0, version=0, kind=RecordKind.TOMBSTONE)
NEW = login(record("new", owner="alice"))
INSTEAD = login(record("new", owner="alice"), old=record("a"), tombstone=GRAVE)
UPDATE = change(record("a"), {"n": b"1"})


@pytest.fixture
def server(memcached_server):
    """A memcached server that holds nothing."""
    memcached_server.ask("flush_all")
    return memcached_server


@pytest.fixture
def store(server, drive):
    """A store on it, which holds one session."""
    store = MemcachedStore.from_url(f"{server.url}?{PATIENT}")
    drive(store.create(record("a")))
    yield store
    drive(store.close())


def costs(flow, drive):
    """Finish a flow, and return how often it waited for a server."""
    stepped, trips = Stepped(flow, drive), 0
    while stepped.ask is not None:
        stepped.step()
        trips += 1
    stepped.outcome.get()
    return trips


def figures(server):
    stats = server.stats()
    return int(stats["cmd_get"]), int(stats["cmd_set"])


def costs_at(server, flow, drive):
    """Finish a flow; return its trips, and how many names the server looked up and stored."""
    before = figures(server)
    trips = costs(flow, drive)
    after = figures(server)
    return trips, after[0] - before[0], after[1] - before[1]


@pytest.mark.parametrize(
    ("act", "cost"),
    [
        (lambda store: store.read(key("a")), (1, 2, 0)),
        (lambda store: store.create(record("new")), (2, 2, 1)),
        (lambda store: store.replace(NEW), (2, 2, 1)),
        (lambda store: store.commit(UPDATE), (2, 2, 1)),
        (lambda store: store.commit(change(record("x"))), (1, 2, 0)),
        (lambda store: store.delete(key("a"), leaving=GRAVE), (2, 2, 1)),
        (lambda store: store.delete(key("x")), (1, 2, 0)),
        (lambda store: store.replace(INSTEAD), (10, 10, 5)),
        (lambda store: store.end_everybody(), (2, 1, 1)),
    ],
    ids=[
        "read", "create", "log in", "commit", "commit to nothing", "end", "end nothing",
        "log in with a session", "end everybody",
    ],
)  # fmt: skip
def test_acts_cost_so_many_commands(store, server, drive, act, cost):
    """Counted at the server: the names that are asked for, of which a command takes one or two."""
    assert cost == costs_at(server, act(store), drive)


@pytest.mark.parametrize(
    ("act", "cost"),
    [
        (lambda store: store.commit(UPDATE), (1, 1, 1)),
        (lambda store: store.replace(INSTEAD), (9, 9, 5)),
    ],
    ids=["commit", "log in with a session"],
)
def test_what_was_just_read_is_not_read_again(store, server, drive, act, cost):
    """A request that reads a session and writes it waits twice: the generation comes beside."""
    drive(store.read(key("a")))
    assert cost == costs_at(server, act(store), drive)


def test_row_is_a_generation_and_a_record(store, server):
    """What was stored by one version is read by the next."""
    generation = server.data("sessile:@generation")

    assert len(generation) == GENERATION
    assert server.data(ROW) == generation + pack(record("a"))
    assert server.expires_in("sessile:@generation") == -1


def test_ended_session_leaves_nothing(store, server, drive):
    """What was removed takes no memory, and its name can be taken again."""
    drive(store.delete(key("a")))
    assert server.data(ROW) is None

    drive(store.create(record("a", data={"who": b"another"})))
    assert drive(store.read(key("a"))) == record("a", data={"who": b"another"})


def test_token_is_good_once(store, drive):
    """A second commit after one read looks again, and is told what the first one stored."""
    drive(store.read(key("a")))

    assert drive(store.commit(UPDATE)) == COMMITTED
    assert drive(store.commit(UPDATE)) == Conflict(UPDATE.record)


def test_stale_token_changes_nothing(store, server, drive):
    """Whoever remembers what another server has changed since, or removed, is told so."""
    other = MemcachedStore.from_url(f"{server.url}?{PATIENT}")
    drive(store.read(key("a")))
    drive(other.commit(UPDATE))
    assert drive(store.commit(change(record("a"), {"n": b"2"}))) == Conflict(UPDATE.record)

    drive(store.read(key("a")))
    drive(other.delete(key("a")))
    assert drive(store.commit(change(UPDATE.record))) == GONE
    drive(other.create(record("a")))
    assert drive(store.commit(change(UPDATE.record))) == Conflict(record("a"))
    drive(other.close())


def test_token_of_before_the_end_revives_nobody(store, server, drive):
    """A commit without a read finds out all the same that everybody was ended since."""
    other = MemcachedStore.from_url(f"{server.url}?{PATIENT}")
    drive(store.read(key("a")))
    drive(other.end_everybody())

    assert drive(store.commit(UPDATE)) == GONE
    assert drive(store.read(key("a"))) is None
    drive(other.close())


def test_row_that_was_written_is_known_by_its_bytes(store, drive):
    """The server tells no token of what it stores; what another has written since stays."""
    rows = store._memcached_rows
    written = drive(rows.add(key("b"), b"mine", 60_000, what="test"))
    theirs = drive(rows.swap(key("b"), written, b"theirs", 60_000, what="test"))
    for token, done in ((written, False), (theirs, True)):
        assert (drive(rows.swap(key("b"), token, b"last", 60_000, what="test")) is not None) is done
        assert drive(rows.get(key("b"))).value == (b"last" if done else b"theirs")

    assert not drive(rows.remove(key("b"), theirs, what="test"))
    assert drive(rows.values([key("b"), key("x")])) == [b"last", None]


def test_tokens_are_bounded(store, drive, monkeypatch):
    """Those that were forgotten cost a read, and nothing else."""
    monkeypatch.setattr(read_tokens, "MOST_TOKENS", 2)
    rows = [record(f"row {n}") for n in range(10)]
    for row in rows:
        drive(store.create(row))
        drive(store.read(row.key))
        assert len(store._memcached_rows._tokens) <= 4

    trips = [costs(store.commit(change(row)), drive) for row in rows]
    assert trips == [2] * 6 + [1] * 4
    assert [drive(store.read(row.key)) for row in rows] == [change(row).record for row in rows]


def test_session_that_is_too_large_stays_as_it_was(store, drive):
    """It is refused with what to write, and the version before it is still there."""
    large = {"large": bytes(1 << 20)}
    with pytest.raises(StoreUnavailable, match="memcached -I 4m"):
        drive(store.commit(change(record("a"), large)))
    with pytest.raises(StoreUnavailable, match="larger than an item"):
        drive(store.create(record("b", data=large)))

    assert drive(store.read(key("a"))) == record("a")
    assert drive(store.read(key("b"))) is None


def test_longest_prefix_works(server, drive):
    """Every name of the store is one that memcached takes; one byte more is refused at once."""
    longest = "p" * 230
    store = MemcachedStore.from_url(f"{server.url}?{PATIENT}&prefix={longest}")
    drive(store.create(record("a")))
    drive(store.end_everybody())
    drive(store.close())

    with pytest.raises(ConfigError, match="at most 230 bytes"):
        MemcachedStore.from_url(f"{server.url}?prefix={longest}p")


def test_two_servers_share_the_sessions(own_pair, drive):
    """Each has some of the rows, and a generation of its own."""
    store = MemcachedStore.from_url(f"{own_pair.url}?{PATIENT}")
    rows = [record(f"row {n}") for n in range(40)]
    for row in rows:
        drive(store.create(row))
    held = [{row.key for row in rows if own.data(f"sessile:{row.key}")} for own in own_pair.servers]
    one, two = (own.data("sessile:@generation") for own in own_pair.servers)

    assert one != two
    assert not held[0] & held[1]
    assert min(map(len, held)) > 5
    assert [drive(store.read(row.key)) for row in rows] == rows
    drive(store.close())


@pytest.fixture
def pair(own_pair):
    """Two servers and a store on them."""
    own_pair.store = MemcachedStore.from_url(f"{own_pair.url}?{PATIENT}")
    yield own_pair
    run(own_pair.store.close())


def names_apart(pair):
    """Return names of sessions on either server."""
    names = [f"name {n}" for n in range(40)]
    first = [name for name in names if pair.server_of(key(name)) is pair.servers[0]]
    return first, [name for name in names if name not in first]


def carry_over(pair, old, new):
    """Return the flow of a login on one server that takes the place of a session on the other."""
    old, new = record(old), record(new, owner="alice")
    return pair.store.replace(login(new, old=old, tombstone=None))


def test_login_met_by_the_end_of_everybody_carries_nobody_over(pair):
    """However a login and the end fall into each other, who was there before it is not after it.

    A session could go from the server that is still to be told to the one that was told already.
    """
    here, there = names_apart(pair)
    met = set()
    for old, new in ((here[0], there[0]), (there[0], here[0])):
        for asks in range(14):
            for steps in range(14):
                run(pair.store.create(record(old)))
                end = Stepped(pair.store.end_everybody())
                log_in = Stepped(carry_over(pair, old, new))
                for stepped, times in ((end, asks), (log_in, steps)):
                    for _ in range(times):
                        if stepped.ask is not None:
                            stepped.step()
                assert end.finish().error is None
                outcome = log_in.finish()
                met.add(type(outcome.error or outcome.value).__name__)
                for name in (old, new):
                    assert run(pair.store.read(key(name))) is None, (asks, steps, outcome)
    assert met == {"Replaced", "Gone"}


def test_login_waits_while_everybody_is_being_ended(pair):
    """It is refused if that takes long; one that stays on its server has no need to wait."""
    here, there = names_apart(pair)
    run(pair.store.create(record(here[0])))
    pair.server_of(key(there[0])).put("sessile:@ending", bytes(8))
    with pytest.raises(StoreUnavailable, match="ask again"):
        run(carry_over(pair, here[0], there[0]))

    assert run(pair.store.read(key(here[0]))) == record(here[0])
    assert run(carry_over(pair, here[0], here[1])) == Replaced()
    assert isinstance(run(pair.store.read(key(here[1]))), Record)


def test_ends_at_once_do_not_disturb_each_other(pair, drive):
    """Each is told that everybody ended, and nothing of them is left behind."""
    run(pair.store.create(record("a")))
    told = drive.together(pair.store.end_everybody() for _ in range(5))

    assert told == [None] * 5
    assert run(pair.store.read(key("a"))) is None
    assert all(server.data("sessile:@ending") is None for server in pair.servers)


def test_end_that_was_forgotten_on_the_way_is_asked_for_again(pair):
    """A login may have slipped through where a server has evicted that everybody is being ended."""
    stepped = Stepped(pair.store.end_everybody())
    while not all(server.data("sessile:@ending") for server in pair.servers):
        stepped.step()
    pair.servers[1].ask("delete sessile:@ending")

    assert "ask again" in str(stepped.finish().error)


def test_server_without_tokens_is_refused(tmp_path, drive):
    """One that compares nothing (-C) takes a first session, and says so when one is to change."""
    with MemcachedServer(tmp_path, options=("-C",)) as server:
        store = MemcachedStore.from_url(f"{server.url}?{PATIENT}")
        drive(store.create(record("a")))
        for act in (store.commit(UPDATE), store.delete(key("a")), store.end_everybody()):
            with pytest.raises(StoreUnavailable, match=re.escape("(-C)")):
                drive(act)
        drive(store.close())
