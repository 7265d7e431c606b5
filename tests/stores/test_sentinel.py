"""Redis behind Sentinels: the primary is found, a fail-over followed, a replica never read."""

import asyncio
import socket
import traceback
from contextlib import ExitStack

import pytest

from harness.redis_server import RedisServer
from harness.sentinels import SERVICE, ask_again, eventually
from sessile.core.flow import arun
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Record
from sessile.stores.redis import RedisStore
from sessile.testing.promises.feeds import hear, hear_until_now, listen
from sessile.testing.sample import change, key, login, record
from wire.redis.scripted import SILENCE, ScriptedServer


def reply(*words):
    """Return an array of the protocol."""
    parts = (f"${len(word)}\r\n{word}\r\n" for word in map(str, words))
    return f"*{len(words)}\r\n{''.join(parts)}".encode()


def named(*ports, options="timeout=2"):
    """Return the URL of Sentinels at these ports."""
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"redis+sentinel://{places}/{SERVICE}/0?{options}"


@pytest.fixture
def opened(drive):
    """What opens a store, and closes it after the test."""
    stores = []

    def opened(url):
        stores.append(RedisStore.from_url(url))
        return stores[-1]

    yield opened
    for store in stores:
        drive(store.close())


def why(drive, flow):
    """Return what the error says of a flow that must fail."""
    with pytest.raises(StoreUnavailable) as refused:
        drive(flow)
    return str(refused.value)


def serves(drive, store):
    """Tell whether a store answers."""
    try:
        drive(store.ping())
    except StoreUnavailable:
        return False
    return True


def test_fail_over_is_followed(replicated, opened, drive):
    """What the replica had is there after the primary was killed, and more can be stored."""
    patient = f"{replicated.url}&timeout=5"
    store = opened(patient)
    drive(store.create(record("a")))
    assert replicated.primary.ask("WAIT", 1, 10_000) == 1
    replicated.primary.stop()
    eventually(lambda: replicated.where() == replicated.replica.port, "the fail-over")
    eventually(lambda: serves(drive, store), "the new primary serves")
    assert isinstance(drive(store.read(key("a"))), Record)
    drive(store.create(record("b")))
    assert isinstance(drive(store.read(key("b"))), Record)


def test_primary_that_became_a_replica_is_left(replicated, opened, drive):
    """A connection to the old primary is not read from once there is another one."""
    store = opened(f"{replicated.url}&timeout=5")
    drive(store.create(record("a")))
    assert replicated.primary.ask("WAIT", 1, 10_000) == 1
    replicated.fail_over()
    old = replicated.primary
    eventually(
        lambda: ask_again(lambda: old.ask("INFO", "replication"))["role"] == "slave",
        "the old primary is a replica",
    )
    served = ask_again(old.calls).get("mget", 0)
    eventually(lambda: serves(drive, store), "the new primary serves")
    drive(store.create(record("b")))
    assert isinstance(drive(store.read(key("b"))), Record)
    assert ask_again(old.calls).get("mget", 0) == served


def test_feed_follows_a_fail_over(replicated, opened, drive):
    """The feed of the old primary ends, and a new one hears what the new primary does."""
    store = opened(f"{replicated.url}&timeout=5")
    drive(store.create(record("a")))
    assert replicated.primary.ask("WAIT", 1, 10_000) == 1
    feed = listen(store)
    hear_until_now(feed)
    replicated.fail_over()
    with pytest.raises(StoreUnavailable):
        hear(feed, lambda word: False)
    feed.close()
    eventually(lambda: serves(drive, store), "the new primary serves")
    again = listen(store)
    drive(store.delete(key("a")))
    assert key("a") in hear_until_now(again)
    again.close()


def test_replica_is_not_read(own_redis, opened, drive):
    """Where a Sentinel is behind, and names what is a replica by now, nobody is served from it."""
    own_redis.ask("REPLICAOF", "127.0.0.1", own_redis.port)
    answer = reply("127.0.0.1", own_redis.port)
    with ScriptedServer([answer], [answer]) as sentinel:
        assert "is a replica" in why(drive, opened(named(sentinel.port)).read(key("a")))
    assert "mget" not in own_redis.calls()


def test_next_sentinel_is_asked(own_redis, opened, drive):
    """One that is gone, silent or ignorant keeps nobody from the primary."""
    with (
        socket.create_server(("127.0.0.1", 0)) as gone,
        ScriptedServer([SILENCE]) as silent,
        ScriptedServer([b"*-1\r\n"]) as lost,
        ScriptedServer([reply("127.0.0.1", own_redis.port)]) as knows,
    ):
        nobody = gone.getsockname()[1]
        gone.close()
        store = opened(named(nobody, silent.port, lost.port, knows.port, options="timeout=4"))
        drive(store.create(record("a")))

    assert isinstance(drive(store.read(key("a"))), Record)


def test_primary_that_nobody_knows_is_told(opened, drive):
    """The error names each Sentinel and what it said."""
    nothing, refused = [b"*-1\r\n"], [b"-NOAUTH who?\r\n"]
    with ScriptedServer(nothing, nothing) as lost, ScriptedServer(refused, refused) as shut:
        said = why(drive, opened(named(lost.port, shut.port)).ping())

    assert f"the primary '{SERVICE}' leads nowhere: no Sentinel knows it" in said
    assert f"127.0.0.1:{lost.port}: it watches no '{SERVICE}'; see its 'sentinel monitor'" in said
    assert f"127.0.0.1:{shut.port}: it answers NOAUTH; check sentinel_username and" in said


def test_password_of_sentinels_is_shown_nowhere(opened, drive):
    """A Sentinel that quotes it, as one without passwords does, gets it into no error."""
    quotes = b"-ERR AUTH <password> called without any password: hunter2\r\n"
    with ScriptedServer([quotes], [quotes]) as sentinel:
        store = opened(named(sentinel.port, options="sentinel_password=hunter2"))
        with pytest.raises(StoreUnavailable) as refused:
            drive(store.ping())

    assert b"hunter2" in sentinel.heard[0][0]
    assert "hunter2" not in "".join(traceback.format_exception(refused.value))


def test_answer_that_is_none_is_told(opened, drive):
    """What is no Sentinel at all is named, and costs no more than the time limit."""
    strange = [b"HTTP/1.1 400\r\n\r\n", b"+OK\r\n", reply("127.0.0.1", "no port")]
    strange += [reply("", 6379), reply(".one", 6379), reply("one\0two", 1), reply("one", 65_536)]
    for answer in strange:
        with ScriptedServer([answer], [answer]) as stranger:
            said = why(drive, opened(named(stranger.port)).ping())
        assert f"127.0.0.1:{stranger.port}: its answer is " in said


def test_sentinels_are_asked_for_each_connection(own_redis, opened, drive):
    """Where one primary was, there may be a replica by now: what was found is not used again."""
    heard = reply("127.0.0.1", own_redis.port)
    with ScriptedServer([heard], [heard]) as sentinel:
        store = opened(named(sentinel.port))
        for _ in range(2):
            drive(store.ping())
            drive(store.ping())
            own_redis.ask("CLIENT", "KILL", "TYPE", "normal")

    assert [len(said) for said in sentinel.heard] == [1, 1]


@pytest.fixture
def pair(tmp_path):
    """A primary and its replica, without Sentinels."""
    homes = [tmp_path / name for name in ("primary", "replica")]
    for home in homes:
        home.mkdir()
    quick = ("--repl-diskless-sync-delay", "0")
    with ExitStack() as stack:
        primary = stack.enter_context(RedisServer(homes[0], options=quick))
        follow = ("--replicaof", f"127.0.0.1 {primary.port}")
        replica = stack.enter_context(RedisServer(homes[1], options=follow))
        eventually(
            lambda: replica.ask("INFO", "replication")["master_link_status"] == "up",
            "the replica follows",
        )
        yield primary, replica


CHANGES = {
    "create": lambda store: store.create(record("new")),
    "commit": lambda store: store.commit(change(record("a"))),
    "replace": lambda store: store.replace(login(record("n", owner="alice"))),
    "delete": lambda store: store.delete(key("a")),
    "delete_owned": lambda store: store.delete_owned("alice"),
    "end_everybody": lambda store: store.end_everybody(),
}


@pytest.mark.parametrize("act", CHANGES)
def test_change_is_on_a_replica_before_it_counts(pair, opened, drive, act):
    """Under ``acks`` what was acknowledged is on as many replicas; without them it is a failure."""
    primary, replica = pair
    store = opened(f"{primary.url}?timeout=2&acks=1")
    drive(store.create(record("a")))
    drive(store.replace(login(record("o", owner="alice"))))
    assert replica.ask("DBSIZE") == primary.ask("DBSIZE") > 0
    replica.freeze()
    try:
        said = why(drive, CHANGES[act](store))
        assert "0 of 1 replicas have the change in time (acks=1); it is made, and a fail" in said
        drive(store.read(key("o")))  # whoever reads is served
    finally:
        replica.thaw()
    drive(store.create(record("last")))
    assert replica.ask("DBSIZE") == primary.ask("DBSIZE")


def test_no_reader_waits_for_a_replica(pair):
    """On one loop readers are served while a change waits for a replica that is frozen."""
    primary, replica = pair

    async def scenario():
        store = RedisStore.from_url(f"{primary.url}?timeout=5&acks=1")
        await arun(store.create(record("a")))
        replica.freeze()
        writer = asyncio.create_task(arun(store.create(record("b"))))
        await asyncio.sleep(0)
        read = await arun(store.read(key("a")))
        waits = not writer.done()
        replica.thaw()
        await writer
        await arun(store.close())
        return read, waits

    read, waits = asyncio.run(scenario())
    assert isinstance(read, Record)
    assert waits
