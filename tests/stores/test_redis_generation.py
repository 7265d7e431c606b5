"""The generation of the Redis store: one key that ends everybody, and what becomes of the rest."""

import pytest

from sessile.core.record import pack
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.stores.contract import COMMITTED, GONE, OnLimit, Replaced
from sessile.testing.sample import change, key, login, record, records_of

ROW = f"sessile:{key('a')}"
GENERATION = "sessile:@generation"


def alices(*names):
    return [record(name, owner="alice") for name in names]


def entries(server):
    (index,) = server.ask("KEYS", f"sessile:@{'?' * 32}")
    return server.ask("ZRANGE", index, 0, -1)


def test_end_touches_no_row(store, server, drive):
    """However many there are, the end is one key; each row goes when its own time is over."""
    for n in range(50):
        drive(store.create(record(f"{n}", idle=600.0)))
    rows = server.ask("KEYS", "sessile:[^@]*")
    drive(store.end_everybody())

    assert sorted(server.ask("KEYS", "sessile:[^@]*")) == sorted(rows)
    assert {0 < server.ask("TTL", row) <= 1200 for row in rows} == {True}
    assert server.ask("TTL", GENERATION) == -1


def test_lost_generation_revives_nobody(store, server, drive):
    """A server that lost the key has ended everybody, those included who were ended before."""
    old, last = alices("a", "b")
    drive(store.replace(login(old)))
    drive(store.end_everybody())
    drive(store.replace(login(last)))
    server.ask("DEL", GENERATION)

    def nobody_is_back():
        assert [drive(store.read(key(name))) for name in "ab"] == [None, None]
        assert drive(store.commit(change(last))) == GONE
        assert drive(store.replace(login(record("c"), old=last))) == GONE
        assert drive(store.read(key("c"))) is None
        assert records_of(store, drive, "alice") == []

    nobody_is_back()
    assert drive(store.scan()).records == []
    assert drive(store.delete(key("b"))) is None
    drive(store.create(record("new")))
    assert drive(store.read(key("new"))) == record("new")
    nobody_is_back()


def test_first_generation_is_begun_once(store, server, drive):
    """Of many who come to an empty server at once one begins the generation; all rows live."""
    rows = [*alices(*"abcd"), *(record(name) for name in "efgh")]
    acts = [store.replace(login(row)) if row.owner else store.create(row) for row in rows]

    assert drive.together(acts) == [Replaced()] * 4 + [None] * 4
    assert [drive(store.read(key(name))) for name in "abcdefgh"] == rows


def test_generations_are_never_alike(store, server, drive):
    """Each is drawn, and counted up: none is like one that a server lost."""
    seen = []
    for _ in range(100):
        drive(store.end_everybody())
        seen.append(server.ask("GET", GENERATION))

    assert [generation[:4] for generation in seen] == [n.to_bytes(4) for n in range(1, 101)]
    assert len({generation[4:] for generation in seen}) == 100
    assert {len(generation) for generation in seen} == {9}


def test_index_forgets_the_ended(store, server, drive):
    """Whoever looks at an index removes what was ended."""
    a, b, c = alices("a", "b", "c")
    for prune in (
        lambda: store.owned_by("alice"),
        lambda: store.replace(login(c, limit=5)),
        lambda: store.replace(login(c)),
    ):
        server.ask("FLUSHALL")
        drive(store.replace(login(a)))
        drive(store.end_everybody())
        drive(store.replace(login(b, limit=None)))
        drive(prune())
        assert key("a").encode() not in entries(server)
        assert key("b").encode() in entries(server)


def test_version_of_the_ended_is_no_match(store, drive):
    """A late commit does not fit what stands under the same key in the same version now."""
    drive(store.create(record(data={"who": b"first"})))
    late = change(record(data={"who": b"first"}))
    drive(store.end_everybody())
    assert drive(store.commit(late)) == GONE
    drive(store.create(record(data={"who": b"second"})))

    assert drive(store.read(key("a"))) == record(data={"who": b"second"})
    assert drive(store.commit(change(record(data={"who": b"second"})))) == COMMITTED


def test_row_without_a_generation_is_of_none(store, server, drive):
    """What was put beside the store, without the current generation, is as if it were not there."""
    drive(store.create(record("b")))
    server.ask("SET", ROW, pack(record("a", owner="alice")))

    assert drive(store.read(key("a"))) is None
    assert drive(store.commit(change(record("a")))) == GONE
    assert drive(store.replace(login(record("c"), old=record("a")))) == GONE
    drive(store.create(record("a")))
    with pytest.raises(KeyTaken):
        drive(store.create(record("a")))


def test_generation_of_a_foreign_type_is_named(store, server, drive):
    """Where there should be a generation and is none, nobody is logged in; errors name the key."""
    drive(store.replace(login(record("a", owner="alice"))))
    server.ask("DEL", GENERATION)
    server.ask("LPUSH", GENERATION, "x")

    assert drive(store.read(key("a"))) is None
    for act in (
        store.create(record("b")),
        store.replace(login(record("b", owner="alice"), on_limit=OnLimit.REFUSE)),
        store.replace(login(record("b"))),
        store.owned_by("alice"),
    ):
        with pytest.raises(StoreUnavailable, match=f"key .* {GENERATION} no g|key {GENERATION} h"):
            drive(act)
    drive(store.end_everybody())
    drive(store.create(record("b")))
    assert drive(store.read(key("b"))) == record("b")
