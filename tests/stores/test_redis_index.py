"""The index of a user's sessions in the Redis store: whose it is, its order, and its ghosts."""

import pytest

from sessile.core.change import Claimed, Excess
from sessile.core.record import pack
from sessile.errors import StoreUnavailable
from sessile.testing.clock import T0
from sessile.testing.sample import key, record

ROW = f"sessile:{key('a')}"
INDICES = f"sessile:@{'?' * 32}"


def owned(*names):
    return [record(name, owner="alice") for name in names]


def index(server):
    (found,) = server.ask("KEYS", INDICES)
    return found


@pytest.mark.parametrize(
    "owner", ["", "*", "alice:x", "a" * 10_000, "\0\r\n", key("a"), "ünï", "@"]
)
def test_no_name_of_a_user_reaches_another(store, server, drive, owner):
    """Whatever a user is called, the index is theirs alone and does not show the name."""
    drive(store.claim(record("other", owner="bob"), T0))
    drive(store.claim(record("a", owner=owner), T0))

    assert drive(store.owned_by(owner, T0)) == [record("a", owner=owner)]
    assert drive(store.owned_by("bob", T0)) == [record("other", owner="bob")]
    assert len(server.ask("KEYS", INDICES)) == 2
    assert len(server.ask("KEYS", "sessile:@*")) == 3


def test_name_that_is_no_text_owns_nothing(store, drive):
    """A name with a lone surrogate, as a shell hands over broken bytes, is like any other."""
    assert drive(store.owned_by("\udcff", T0)) == []


def test_entries_without_a_record_are_pruned(store, server, drive):
    """Whoever looks at an index removes what the server has long collected."""
    a, b, c = owned("a", "b", "c")
    for prune in (
        lambda: store.owned_by("alice", T0),
        lambda: store.claim(c, T0, limit=5),
        lambda: store.claim(c, T0),
    ):
        server.ask("FLUSHALL")
        drive(store.claim(a, T0))
        drive(store.claim(b, T0))
        server.ask("DEL", ROW)
        drive(prune())
        assert key("a").encode() not in server.ask("ZRANGE", index(server), 0, -1)
        assert key("b").encode() in server.ask("ZRANGE", index(server), 0, -1)


def test_index_without_a_limit_does_not_grow_with_the_dead(store, server, drive):
    """Of users who log in for ever and never out, the server keeps the living and a few dead."""
    for n in range(300):
        row = record(f"{n}", owner="alice")
        drive(store.claim(row, T0))
        server.ask("DEL", f"sessile:{row.key}")

    assert server.ask("ZCARD", index(server)) < 60


def test_claims_keep_their_order_when_entries_go(store, drive):
    """The order of claims is the server's count, whichever entries are removed in between."""
    a, b, c, d = owned("a", "b", "c", "d")
    for row in (a, b, c):
        drive(store.claim(row, T0))
    drive(store.delete(key("c"), "alice"))
    drive(store.delete(key("a"), "alice"))
    drive(store.claim(d, T0))
    drive(store.claim(a, T0))

    assert drive(store.owned_by("alice", T0)) == [b, d, a]


def test_foreign_type_hides_no_other_session(store, server, drive):
    """A key that holds no string does not hide its owner's other sessions, nor stop a scan."""
    a, b, c = owned("a", "b", "c")
    drive(store.claim(a, T0))
    drive(store.claim(b, T0))
    server.ask("DEL", ROW)
    server.ask("LPUSH", ROW, "x")

    assert drive(store.owned_by("alice", T0)) == [b]
    assert drive(store.claim(c, T0, limit=2)) == Claimed()
    assert len(drive(store.scan(T0)).records) == 2


@pytest.mark.parametrize(
    "row",
    [b"nonsense", b"\x91" * 200, pack(record("b")), b"\xdc\x00\x11\x63" + pack(record("a"))[4:]],
    ids=["nonsense", "nested", "swapped", "newer"],
)
def test_row_that_is_no_record_does_not_count(store, server, drive, row):
    """The limit counts records under their own keys, and nothing else that is found there."""
    first, second = owned("a", "c")
    drive(store.claim(first, T0))
    server.ask("SET", ROW, server.ask("GET", "sessile:@generation") + row)

    assert drive(store.claim(second, T0, limit=1, excess=Excess.REFUSE)) == Claimed()


def test_index_of_a_foreign_type_is_named(store, server, drive):
    """Where the index should be and is not, nothing is guessed: the error names the key."""
    drive(store.claim(record("a", owner="alice"), T0))
    name = index(server).decode()
    server.ask("SET", name, "x")

    for act in (store.owned_by("alice", T0), store.claim(record("b", owner="alice"), T0)):
        with pytest.raises(StoreUnavailable, match=f"{name} holds no index"):
            drive(act)
    assert drive(store.read(key("b"), T0)) is None
    assert drive(store.delete(key("a"), "alice")) == record("a", owner="alice")
