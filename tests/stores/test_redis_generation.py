"""The generation of the Redis store: one key that ends everybody, and what becomes of the rest."""

import pytest

from sessile.core.change import COMMITTED, GONE, Claimed, Excess
from sessile.core.record import pack
from sessile.errors import KeyTaken, StoreUnavailable
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, record

ROW = f"sessile:{key('a')}"
GENERATION = "sessile:@generation"


def owned(*names):
    return [record(name, owner="alice") for name in names]


def entries(server):
    (index,) = server.ask("KEYS", f"sessile:@{'?' * 32}")
    return server.ask("ZRANGE", index, 0, -1)


def test_end_touches_no_row(store, server, drive):
    """However many there are, the end is one key; each row goes when its own time is over."""
    for n in range(50):
        drive(store.create(record(f"{n}", idle=600.0)))
    rows = server.ask("KEYS", "sessile:[^@]*")
    drive(store.end_everybody(T0))

    assert sorted(server.ask("KEYS", "sessile:[^@]*")) == sorted(rows)
    assert {0 < server.ask("TTL", row) <= 660 for row in rows} == {True}
    assert server.ask("TTL", GENERATION) == -1


def test_lost_generation_revives_nobody(store, server, drive):
    """A server that lost the key has ended everybody, those included who were ended before."""
    old, last = owned("a", "b")
    drive(store.claim(old, T0))
    drive(store.end_everybody(T0))
    drive(store.claim(last, T0))
    server.ask("DEL", GENERATION)

    def nobody_is_back():
        assert [drive(store.read(key(name), T0)) for name in "ab"] == [None, None]
        assert drive(store.commit(change(last))) == GONE
        assert drive(store.owned_by("alice", T0)) == []

    nobody_is_back()
    assert drive(store.scan(T0)).records == []
    assert drive(store.delete(key("b"))) is None
    drive(store.create(record("new")))
    assert drive(store.read(key("new"), T0)) == record("new")
    nobody_is_back()


def test_first_generation_is_begun_once(store, server, drive):
    """Of many who come to an empty server at once one begins the generation; all rows live."""
    rows = [*owned(*"abcd"), *(record(name) for name in "efgh")]
    acts = [store.claim(row, T0) if row.owner else store.create(row) for row in rows]

    assert drive.together(acts) == [Claimed()] * 4 + [None] * 4
    assert [drive(store.read(key(name), T0)) for name in "abcdefgh"] == rows


def test_generations_are_never_alike(store, server, drive):
    """Each is drawn: no count begins anew where the last one was lost."""
    seen = set()
    for _ in range(100):
        drive(store.end_everybody(T0))
        seen.add(server.ask("GET", GENERATION))

    assert len(seen) == 100
    assert {len(generation) for generation in seen} == {5}


def test_index_forgets_the_ended(store, server, drive):
    """Whoever looks at an index removes what was ended."""
    a, b, c = owned("a", "b", "c")
    for prune in (
        lambda: store.owned_by("alice", T0),
        lambda: store.claim(c, T0, limit=5),
        lambda: store.claim(c, T0),
    ):
        server.ask("FLUSHALL")
        drive(store.claim(a, T0))
        drive(store.end_everybody(T0))
        drive(store.claim(b, T0, limit=None))
        drive(prune())
        assert key("a").encode() not in entries(server)
        assert key("b").encode() in entries(server)


def test_version_of_the_ended_is_no_match(store, drive):
    """A late commit does not fit what stands under the same key in the same version now."""
    drive(store.create(record(data={"who": b"first"})))
    late = change(record(data={"who": b"first"}))
    drive(store.end_everybody(T0))
    assert drive(store.commit(late)) == GONE
    drive(store.create(record(data={"who": b"second"})))

    assert drive(store.read(key("a"), T0)) == record(data={"who": b"second"})
    assert drive(store.commit(change(record(data={"who": b"second"})))) == COMMITTED


def test_row_without_a_generation_is_of_none(store, server, drive):
    """What was put beside the store, without the current generation, is as if it were not there."""
    heard = []
    store.malformed = heard.append
    drive(store.create(record("b")))
    server.ask("SET", ROW, pack(record("a", owner="alice")))

    assert drive(store.read(key("a"), T0)) is None
    assert drive(store.commit(change(record("a")))) == GONE
    assert heard == []
    drive(store.create(record("a")))
    with pytest.raises(KeyTaken):
        drive(store.create(record("a")))


def test_generation_of_a_foreign_type_is_named(store, server, drive):
    """Where there should be a generation and is none, nobody is logged in; errors name the key."""
    drive(store.claim(record("a", owner="alice"), T0))
    server.ask("DEL", GENERATION)
    server.ask("LPUSH", GENERATION, "x")

    assert drive(store.read(key("a"), T0)) is None
    for act in (
        store.create(record("b")),
        store.claim(record("b", owner="alice"), T0, excess=Excess.REFUSE),
        store.owned_by("alice", T0),
    ):
        with pytest.raises(StoreUnavailable, match=f"{GENERATION} (holds )?no generation"):
            drive(act)
    drive(store.end_everybody(T0))
    drive(store.create(record("b")))
    assert drive(store.read(key("b"), T0)) == record("b")
