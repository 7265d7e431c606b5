"""The index of a user's sessions in the Redis store: whose it is, its order, and its ghosts."""

import pytest

from sessile.core.record import RecordKind, pack
from sessile.errors import StoreUnavailable
from sessile.stores.contract import COMMITTED, Corrupt, OnLimit, Replaced
from sessile.stores.redis_rows import STAMP
from sessile.testing.sample import change, key, login, record, records_of

ROW = f"sessile:{key('a')}"
INDICES = f"sessile:@{'?' * 32}"


def alices(*names):
    return [record(name, owner="alice") for name in names]


def index(server):
    (found,) = server.ask("KEYS", INDICES)
    return found


@pytest.mark.parametrize(
    "owner", ["", "*", "alice:x", "a" * 10_000, "\0\r\n", key("a"), "ünï", "@"]
)
def test_no_name_of_a_user_reaches_another(store, server, drive, owner):
    """Whatever a user is called, the index is theirs alone and does not show the name."""
    drive(store.replace(login(record("other", owner="bob"))))
    drive(store.replace(login(record("a", owner=owner))))

    assert records_of(store, drive, owner) == [record("a", owner=owner)]
    assert records_of(store, drive, "bob") == [record("other", owner="bob")]
    assert len(server.ask("KEYS", INDICES)) == 2
    assert len(server.ask("KEYS", "sessile:@*")) == 3


def test_name_that_is_no_text_owns_nothing(store, drive):
    """A name with a lone surrogate, as a shell hands over broken bytes, is like any other."""
    assert records_of(store, drive, "\udcff") == []


def test_entries_without_a_record_are_pruned(store, server, drive):
    """Whoever looks at an index removes what the server has long collected."""
    a, b, c = alices("a", "b", "c")
    for prune in (
        lambda: store.owned_by("alice"),
        lambda: store.replace(login(c, limit=5)),
        lambda: store.replace(login(c)),
    ):
        server.ask("FLUSHALL")
        drive(store.replace(login(a)))
        drive(store.replace(login(b)))
        server.ask("DEL", ROW)
        drive(prune())
        assert key("a").encode() not in server.ask("ZRANGE", index(server), 0, -1)
        assert key("b").encode() in server.ask("ZRANGE", index(server), 0, -1)


def test_index_without_a_limit_does_not_grow_with_the_dead(store, server, drive):
    """Of users who log in for ever and never out, the server keeps the living and a few dead."""
    for n in range(300):
        row = record(f"{n}", owner="alice")
        drive(store.replace(login(row)))
        server.ask("DEL", f"sessile:{row.key}")

    assert server.ask("ZCARD", index(server)) < 60


@pytest.mark.parametrize("harm", [("ZREM", key("b")), ("DEL",)])
def test_commit_puts_a_hidden_session_back_into_the_index(store, server, drive, harm):
    """Whoever takes a session out of its owner's index hides it until it is used, no longer."""
    rows = alices("a", "b")
    for row in rows:
        drive(store.replace(login(row)))
    command, *entry = harm
    server.ask(command, index(server), *entry)
    drive(store.commit(change(rows[1])))

    found = records_of(store, drive, "alice")
    assert found[-1].key == key("b")
    assert server.ask("ZCARD", index(server)) == len(found)
    assert 3600_000 < server.ask("PTTL", index(server)) <= 4200_000


def test_commit_enters_nobody_and_nothing_else(store, server, drive):
    """A visitor's session, and what an ended one left behind, come into no index."""
    drive(store.create(record("a")))
    drive(store.create(record("b", owner="alice", kind=RecordKind.EVIDENCE)))
    for row in (record("a"), record("b", owner="alice", kind=RecordKind.EVIDENCE)):
        drive(store.commit(change(row)))

    assert server.ask("KEYS", INDICES) == []


def test_index_of_another_type_stops_no_commit(store, server, drive):
    """What cannot be entered there is committed nevertheless."""
    (row,) = alices("a")
    drive(store.replace(login(row)))
    name = index(server)
    server.ask("DEL", name)
    server.ask("SET", name, "x")

    assert drive(store.commit(change(row))) == COMMITTED


def test_claims_keep_their_order_when_entries_go(store, drive):
    """The order of claims is the server's count, whichever entries are removed in between."""
    a, b, c, d = alices("a", "b", "c", "d")
    for row in (a, b, c):
        drive(store.replace(login(row)))
    drive(store.delete(key("c"), "alice"))
    drive(store.delete(key("a"), "alice"))
    drive(store.replace(login(d)))
    drive(store.replace(login(a)))

    assert records_of(store, drive, "alice") == [b, d, a]


def test_foreign_type_hides_no_other_session(store, server, drive):
    """A key that holds no string does not hide its owner's other sessions, nor stop a scan."""
    a, b, c = alices("a", "b", "c")
    drive(store.replace(login(a)))
    drive(store.replace(login(b)))
    server.ask("DEL", ROW)
    server.ask("LPUSH", ROW, "x")

    assert records_of(store, drive, "alice") == [Corrupt(key("a")), b]
    assert drive(store.replace(login(c, limit=2))) == Replaced()
    assert len(drive(store.scan()).records) == 2


@pytest.mark.parametrize(
    "row",
    [b"nonsense", b"\x91" * 200, pack(record("b")), b"\xdc\x00\x11\x63" + pack(record("a"))[4:]],
    ids=["nonsense", "nested", "swapped", "newer"],
)
def test_row_that_is_no_record_does_not_count(store, server, drive, row):
    """The limit counts records under their own keys, and nothing else that is found there."""
    first, second = alices("a", "c")
    drive(store.replace(login(first)))
    server.ask("SET", ROW, server.ask("GET", "sessile:@generation") + row + bytes(STAMP))

    assert drive(store.replace(login(second, limit=1, on_limit=OnLimit.REFUSE))) == Replaced()


def test_index_of_a_foreign_type_is_named(store, server, drive):
    """Where the index should be and is not, nothing is guessed: the error names the key."""
    drive(store.replace(login(record("a", owner="alice"))))
    name = index(server).decode()
    server.ask("SET", name, "x")

    for act in (
        store.owned_by("alice"),
        store.delete_owned("alice"),
        store.replace(login(record("b", owner="alice"))),
    ):
        with pytest.raises(StoreUnavailable, match=f"{name} holds no index"):
            drive(act)
    assert drive(store.read(key("b"))) is None
    assert drive(store.delete(key("a"), "alice")) == record("a", owner="alice")


def test_foreign_index_of_the_old_session_hinders_no_login(store, server, drive):
    """A login is all or nothing, also where the old session's index is none: what it is stays."""
    old, new = record("a", owner="bob"), record("b", owner="alice")
    drive(store.replace(login(old)))
    name = index(server)
    server.ask("SET", name, "x")

    assert drive(store.replace(login(new, old=old))) == Replaced()
    assert drive(store.read(key("a"))) is None
    assert records_of(store, drive, "alice") == [new]
    assert server.ask("GET", name) == b"x"


def test_lost_index_hinders_no_login(store, server, drive):
    """Where a server evicted the index it begins anew; the session that is replaced still ends."""
    a, b, c = alices("a", "b", "c")
    drive(store.replace(login(a)))
    drive(store.replace(login(b)))
    server.ask("DEL", index(server))

    assert drive(store.replace(login(c, limit=1, old=b))) == Replaced()
    assert drive(store.read(key("b"))) is None
    assert records_of(store, drive, "alice") == [c]


@pytest.mark.parametrize("on_limit", list(OnLimit))
def test_ghosts_are_no_excess(store, server, drive, on_limit):
    """Entries whose rows the server collected are neither counted nor named as ended."""
    a, b, c = alices("a", "b", "c")
    drive(store.replace(login(a)))
    drive(store.replace(login(b)))
    server.ask("DEL", ROW)

    assert drive(store.replace(login(c, limit=2, on_limit=on_limit))) == Replaced()
    assert records_of(store, drive, "alice") == [b, c]
