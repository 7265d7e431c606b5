"""``backup://``: sessions dealt out to shards; what logins and an end of all do over several.

What every store promises is asked of it in ``test_conformance``, with three servers.
"""

import json
import re
from contextlib import suppress
from itertools import count
from zlib import crc32

import msgspec
import pytest
from typer.testing import CliRunner

from harness.nats_server import shared_nats, wait_for
from sessile.cli.app import app
from sessile.core.flow import run
from sessile.core.ticket import Key
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.backup import BackupStore
from sessile.stores.contract import COMMITTED, GONE, Replaced, Replacement
from sessile.stores.nats import NatsStore
from sessile.stores.nats_stream import config_of
from sessile.stores.near import NearStore
from sessile.stores.open import open_store
from sessile.stores.row import owner_digest
from sessile.stores.two_phase_login import TwoPhaseLogin
from sessile.testing.clock import T0
from sessile.testing.sample import change, key, login, record
from sessile.testing.step import Stepped

SHARDS = 4
NUMBERS = count(1)


@pytest.fixture
def bucket():
    """A bucket that nobody else has; it is emptied."""
    server = shared_nats()
    name = f"dealt{next(NUMBERS)}"
    yield name
    for number in range(SHARDS):
        server.api(f"STREAM.DELETE.SESSILE_{name}_{number}")


@pytest.fixture
def url(bucket):
    return f"{shared_nats().url.replace('nats:', 'backup:')}/{bucket}?shards={SHARDS}&timeout=10"


@pytest.fixture
def store(url):
    store = BackupStore.from_url(url)
    yield store
    with suppress(StoreUnavailable):
        run(store.close())


def shard_of(text):
    """Say which shard has a key; this is what ``test_shards_never_change`` knows by heart."""
    return crc32(text.encode()) % SHARDS


def two_records(**more):
    """Return two records in shards of their own, the first in none of the first shard."""
    first, second = (
        next(record(f"{n}", **more) for n in range(99) if shard_of(record(f"{n}").key) == shard)
        for shard in (2, 1)
    )
    return first, second


def test_shards_never_change(store):
    """With another choice no session that is stored is found."""
    place = store._shards
    assert place.of_key(Key("AAAAAAAAAAAAAAAAAAAA")).place.shard == 1
    assert place.of_key(Key("bcdefghijklmnopqrstu")).place.shard == 2
    assert place.of_owner("alice").place.shard == crc32(owner_digest("alice")) % SHARDS
    assert place.of_owner("alice").place.stream.endswith("_2")


def test_sessions_are_in_all_shards(store, bucket):
    """About as many in each; none of them has what another has."""
    for number in range(40):
        run(store.create(record(f"{number}")))
    counts = [
        shared_nats().api(f"STREAM.INFO.SESSILE_{bucket}_{number}")["state"]["messages"]
        for number in range(SHARDS)
    ]

    assert sum(counts) == 40
    assert min(counts) > 0
    assert run(store.count()) == 40


def test_another_number_of_shards_is_refused_in_words(store, url):
    """No session would be found; and no shard is made beside those that there are."""
    run(store.create(record("a")))
    run(store.ping())
    other = BackupStore.from_url(url.replace(f"shards={SHARDS}", "shards=7"))
    for name in "abcdefgh":
        with pytest.raises(StoreUnavailable, match=f"write shards={SHARDS} into the URL"):
            run(other.create(record(f"new {name}")))
    run(other.close())

    names = shared_nats().api("STREAM.NAMES")["streams"]
    assert [
        name
        for name in names
        if name.endswith(("_4", "_5", "_6")) and name.startswith("SESSILE_dealt")
    ] == []


def test_shard_is_made_beside_none_of_another_number(store, bucket, url):
    """Where the bucket was removed, and has come back with another number meanwhile."""
    for number in range(20):
        run(store.create(record(f"{number}")))
    server = shared_nats()
    for number in range(SHARDS):
        server.api(f"STREAM.DELETE.SESSILE_{bucket}_{number}")
    other = BackupStore.from_url(url.replace(f"shards={SHARDS}", "shards=1"))
    run(other.create(record("of the other one")))
    row = next(record(f"new {n}") for n in range(99) if shard_of(record(f"new {n}").key) == 1)
    with pytest.raises(StoreUnavailable):  # it was there when it was last looked at
        run(store.read(Key(row.key)))
    with pytest.raises(StoreUnavailable, match="write shards=1 into the URL"):
        run(store.create(row))
    run(other.close())

    assert f"SESSILE_{bucket}_1" not in server.api("STREAM.NAMES")["streams"]


@pytest.mark.parametrize("metadata", [{}, {"sessile-shards": "many"}])
def test_shard_that_says_of_how_many_it_is_one_not_is_refused(store, bucket, metadata):
    """Somebody made it by hand; no number of shards would be told from another."""
    place = store._shards.all[0].place
    config = msgspec.to_builtins(config_of(place, 1)) | {"metadata": metadata}
    assert "error" not in shared_nats().api(f"STREAM.CREATE.{place.stream}", **config)
    with pytest.raises(StoreUnavailable, match=r"metadata={'sessile-shards': '4'}|many shards"):
        run(store.ping())


@pytest.mark.parametrize("number", ["0", "65", "many"])
def test_number_of_shards_is_checked(number):
    with pytest.raises(ConfigError, match="shards"):
        BackupStore.from_url(f"backup://one/shop?shards={number}")


def test_nats_has_no_shards():
    with pytest.raises(ConfigError, match="shards"):
        NatsStore.from_url("nats://one/shop?shards=3")


def test_bucket_is_of_one_kind(store, bucket, url):
    """Whoever opens it by the other scheme is told; nobody's sessions are hidden."""
    run(store.ping())
    plain = NatsStore.from_url(f"{shared_nats().url}/{bucket}?timeout=5")
    with pytest.raises(
        StoreUnavailable, match=r"overlap.* backup:// needs another one than nats://"
    ):
        run(plain.create(record("a")))
    run(plain.close())


def test_near_cache_is_there_by_itself(url):
    """And as large as the URL says, where it says it."""
    store, small = open_store(url), open_store(f"{url}&near=5")
    try:
        assert isinstance(store, NearStore)
        assert (store.most, small.most) == (10_000, 5)
    finally:
        for each in (store, small):
            run(each.close())


def test_login_over_shards_ends_what_it_replaces(store):
    """The old record, the new one and the index are in shards of their own."""
    old, new = two_records(owner="alice")
    run(store.create(old))
    answer = run(store.replace(Replacement(new=new, old=old, now=T0)))

    assert answer == Replaced()
    assert run(store.read(Key(old.key))) is None
    assert run(store.read(Key(new.key))) == new
    assert [each.key for each in run(store.owned_by("alice")).records] == [new.key]


@pytest.mark.parametrize("purged", range(SHARDS + 1))
def test_no_login_carries_a_session_past_the_end_of_everybody(store, url, monkeypatch, purged):
    """Whichever shards have ended already: it waits, and then there is nothing to carry over."""
    old, new = two_records(owner="alice")
    run(store.create(old))
    rival = BackupStore.from_url(url)
    rival._patience = 0.01
    shards, done = store._shards.all, 0
    purge = type(shards[0].stream).purge
    answers = []

    def log_in():
        with suppress(StoreUnavailable):
            answers.append(run(rival.replace(Replacement(new=new, old=old, now=T0))))

    async def step(stream, subjects=None):
        nonlocal done
        if done == purged:
            log_in()
        done += 1
        await purge(stream, subjects)
        if done == SHARDS == purged:
            log_in()

    monkeypatch.setattr(type(shards[0].stream), "purge", step)
    run(store.end_everybody())

    assert answers in ([], [GONE])
    assert run(store.read(Key(old.key))) is None
    assert run(store.read(Key(new.key))) is None
    monkeypatch.undo()
    run(rival.create(record("later")))
    assert [each.key for each in run(store.scan()).records] == [key("later")]
    run(rival.close())


def test_end_of_everybody_that_is_over_lets_no_login_past_another_one(store, url, monkeypatch):
    """Two at once: logins wait until the one that began last is over."""
    old, new = two_records(owner="alice")
    rival = BackupStore.from_url(url)
    rival._patience = 0.01
    earlier = Stepped(rival.end_everybody())
    while earlier.ask.what != "nats settle":
        earlier.step()
    run(store.create(old))
    stream = type(store._shards.all[0].stream)
    purge, done = stream.purge, []

    async def step(one, subjects=None):
        await purge(one, subjects)
        done.append(one)
        if len(done) == 2:  # the shard of the new one has ended, that of the old one has not
            while earlier.ask is not None:
                earlier.step()
            with pytest.raises(StoreUnavailable, match="everybody is being ended"):
                run(rival.replace(Replacement(new=new, old=old, now=T0)))

    monkeypatch.setattr(stream, "purge", step)
    run(store.end_everybody())
    run(rival.close())

    assert len(done) == SHARDS
    assert earlier.outcome.error is None
    assert run(store.scan()).records == []


def test_shards_that_have_ended_are_told_where_another_one_fails(store, url, monkeypatch):
    """Copies elsewhere are of sessions that are gone; to end all is asked once more."""
    reader = BackupStore.from_url(url)
    feed = reader.open_feed(lambda: 0.0, list)
    stream = type(store._shards.all[0].stream)
    purge, done = stream.purge, []

    async def fail(one, subjects=None):
        if done:
            raise StoreUnavailable("backup", "no leader")
        done.append(one)
        await purge(one, subjects)

    monkeypatch.setattr(stream, "purge", fail)
    with pytest.raises(StoreUnavailable, match="no leader"):
        run(store.end_everybody())
    heard = []
    wait_for(lambda: heard.append(feed.wait(0.1)) or heard[-1].anything, lambda: "nobody told")
    feed.close()
    run(reader.close())

    monkeypatch.undo()
    old, new = two_records(owner="alice")
    run(store.create(old))
    run(store.end_everybody())
    run(store.create(old))
    assert run(store.replace(Replacement(new=new, old=old, now=T0))) == Replaced()


def test_owner_is_listed_who_logs_in_while_everybody_is_ended(store, monkeypatch):
    """Its session stands; so does its entry, whatever shard that is in."""
    stream = type(store._shards.all[0].stream)
    purge, done = stream.purge, []
    names = (f"user {number}" for number in range(99))
    owner = next(name for name in names if store._shards.of_owner(name) is store._shards.all[-1])
    new = record("new", owner=owner)

    async def step(one, subjects=None):
        await purge(one, subjects)
        done.append(one)
        if len(done) == SHARDS - 1:
            await store.replace(login(new))

    monkeypatch.setattr(stream, "purge", step)
    run(store.end_everybody())
    found = run(store.read(Key(new.key)))

    listed = [each.key for each in run(store.owned_by(owner)).records]
    assert listed == ([] if found is None else [new.key])


def test_place_of_an_index_that_was_emptied_is_not_taken_for_the_old_one(store):
    """A login that saw the index before counts no session of after for one of before."""
    index = store._index
    assert run(index.enter("alice", key("a"), 60_000, "")) == 1
    seen = run(index.newest("alice", 1)).mark
    run(index.drop("alice", run(index.oldest("alice", None, None, 9))))
    assert run(index.enter("alice", key("b"), 60_000, None)) == 1

    assert run(index.enter("alice", key("c"), 60_000, seen)) == 0


@pytest.mark.parametrize("blob", [b"garbage", b"", bytes(99)])
def test_index_that_is_none_is_told_with_its_place(store, blob):
    """No session is missed without a word; and the others are served."""
    run(store.replace(login(record("a", owner="alice"))))
    subject = store._shards.of_owner("alice").place.owners + owner_digest("alice").hex()
    shared_nats().ask(subject, blob, [("Nats-TTL", "600s")])
    for act in (store.owned_by("alice"), store.delete_owned("alice")):
        with pytest.raises(StoreUnavailable, match=re.escape(subject)):
            run(act)

    assert run(store.read(key("a"))) == record("a", owner="alice")


def test_session_that_a_login_ends_is_told_again_until_it_is_decided(store, url, monkeypatch):
    """Its row does not change when it ends; a copy of it is good no longer than a heartbeat."""
    old, new = two_records(owner="alice")
    run(store.create(old))
    reader = BackupStore.from_url(url)
    feed = reader.open_feed(lambda: 0.0, list)
    heard = []

    async def decide(self, *args):
        while feed.wait(0.5).keys:  # of the lock, which was written
            pass
        assert await reader.read(Key(old.key)) == old
        heard.extend(feed.wait(0.5).keys)
        return await real(self, *args)

    real = TwoPhaseLogin._decide
    monkeypatch.setattr(TwoPhaseLogin, "_decide", decide)
    run(store.replace(Replacement(new=new, old=old, now=T0)))
    feed.close()
    run(reader.close())

    assert old.key in heard


@pytest.mark.parametrize("before", ["read", "commit"])
def test_commit_after_a_read_or_a_commit_is_one_trip(store, before):
    """The token of the row that was read, or written, is remembered."""
    row = record("a")
    run(store.create(row))
    asks = []
    assert run(store.read(Key(row.key))) == row
    if before == "commit":
        step = change(row, {"n": b"0"})
        assert run(store.commit(step)) == COMMITTED
        row = step.record
    flow = store.commit(change(row, {"n": b"1"})).__await__()
    told = None
    with suppress(StopIteration):
        while True:
            ask = flow.send(told)
            asks.append(ask.what)
            told = ask.block()

    assert asks == ["nats commit"]


def test_where_shows_who_has_a_session(url, store, monkeypatch):
    """One server alone has everything, and nobody has to ask it."""
    monkeypatch.setenv("SESSILE_URL", url)
    row = record("a", owner="alice")
    run(store.create(row))
    shown = CliRunner().invoke(app, ["where", row.key, "--json"], prog_name="sessile")
    words = CliRunner().invoke(app, ["where", row.key], prog_name="sessile")
    gone = CliRunner().invoke(app, ["where", key("b")], prog_name="sessile")

    assert json.loads(shown.stdout)["shard"].endswith(f"_{shard_of(row.key)}")
    assert words.stdout.splitlines()[1:] == [
        "primary     one", "backups     none", "proxies     none",
    ]  # fmt: skip
    assert (gone.exit_code, gone.stdout) == (1, "")


def test_placement_is_told_while_another_shard_has_no_leader(store, monkeypatch):
    """That one cannot name its servers, and has nothing of this session."""
    row = record("a")
    run(store.create(row))
    run(store.ping())
    stream = type(store._shards.all[0].stream)
    info, own = stream.info, store._shards.of_key(Key(row.key)).stream

    async def fail(one):
        if one is not own:
            raise StoreUnavailable("backup", "no leader")
        return await info(one)

    monkeypatch.setattr(stream, "info", fail)

    assert run(store.placement(Key(row.key))).primary == "one"


def test_where_shows_who_has_a_session_that_moves(url, store, bucket, monkeypatch):
    """From a former store: it has moved once it is shown."""
    former = f"{shared_nats().url}/former_{bucket}?timeout=10"
    monkeypatch.setenv("SESSILE_URL", url)
    monkeypatch.setenv("SESSILE_FORMER_URL", former)
    row = record("a", owner="alice")
    one = open_store(former)
    run(one.create(row))
    run(one.close())
    shown = CliRunner().invoke(app, ["where", row.key, "--json"], prog_name="sessile")

    assert json.loads(shown.stdout)["primary"] == "one"
    assert run(store.read(Key(row.key))) is not None


def test_where_is_for_stores_with_several_servers(monkeypatch, tmp_path):
    file = f"sqlite:///{tmp_path}/shop.db"
    other = open_store(file)
    run(other.create(record("a")))
    run(other.close())
    told = CliRunner().invoke(app, ["where", key("a"), "--url", file], prog_name="sessile")

    assert told.exit_code == 2
    assert "`where` is for nats://" in told.stderr
