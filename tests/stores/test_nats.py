"""What is NATS's own in its store: the stream, its messages, its servers' refusals."""

import asyncio
import json
import logging
import os
import re
import socketserver
import threading
import time
from pathlib import Path

import pytest

from harness.certificates import Authority
from harness.nats_accounts import write_credentials
from harness.nats_place import NatsPlace
from harness.nats_server import NatsServer, wait_for
from sessile.core.flow import arun, run
from sessile.errors import ConfigError, StoreClosed, StoreUnavailable
from sessile.stores.backup import BackupStore
from sessile.stores.contract import COMMITTED, Key, Replaced
from sessile.stores.excess import MOST_DEAD
from sessile.stores.finding import Mark
from sessile.stores.nats import NatsStore
from sessile.stores.nats_rows import ENDED_TTL, StreamIndex, entry_of
from sessile.testing.clock import T0
from sessile.testing.promises.feeds import hear
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire import event_loop
from sessile.wire.nats.connection import NatsConnection

ADD = "STREAM.CREATE.SESSILE_{}"


@pytest.fixture
def place(tmp_path):
    place = NatsPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def store(place, drive):
    store = place.open()
    yield store
    drive(store.close())


def stream(server, bucket):
    """Return what a server says of a bucket's stream."""
    return server.api(f"STREAM.INFO.SESSILE_{bucket}")


def count_asks(flow, drive):
    """Finish a flow; return the names of its acts."""
    asked = []

    async def finish():
        step = flow.send
        value = None
        while True:
            try:
                ask = step(value)
            except StopIteration:
                return
            asked.append(ask.what)
            value = await ask

    drive(finish())
    return asked


def test_stream_is_made_with_the_first_act(own_nats, drive):
    """As the docs say it is set; a second store finds it there."""
    for _ in range(2):
        store = NatsStore.from_url(f"{own_nats.url}/shop?timeout=5")
        assert drive(store.read(key("a"))) is None
        drive(store.close())
    config = stream(own_nats, "shop")["config"]

    assert config["subjects"] == ["$SESSILE.shop.>"]
    assert (config["storage"], config["num_replicas"], config["discard"]) == ("file", 1, "new")
    assert (config["max_msgs_per_subject"], config["max_age"]) == (1, 0)
    assert config["allow_atomic"]
    assert config["allow_msg_ttl"]


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"allow_msg_ttl": False}, "allow_msg_ttl=True"),
        ({"allow_atomic": False}, "allow_atomic=True; where a server older than 2.12 leads it, up"),
        ({"max_msgs_per_subject": 5}, "max_msgs_per_subject=1"),
        ({"max_age": 60_000_000_000}, "max_age=0"),
        ({"deny_purge": True}, "deny_purge=False"),
        ({"subjects": ["elsewhere.>"]}, "subjects="),
    ],
)
def test_stream_that_would_lose_sessions_is_refused(own_nats, drive, setting, says):
    """Whoever made it; the error names what it needs."""
    fit = {"allow_msg_ttl": True, "allow_atomic": True, "max_msgs_per_subject": 1}
    fit |= {"duplicate_window": 1_000_000_000}
    config = {"name": "SESSILE_shop", "subjects": ["$SESSILE.shop.>"], **fit, **setting}
    assert "error" not in own_nats.api(ADD.format("shop"), **config)
    store = NatsStore.from_url(f"{own_nats.url}/shop?timeout=5")

    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=says):
            drive(store.read(key("a")))
    drive(store.close())


def test_stream_that_was_removed_is_made_again(own_nats, drive):
    """What was in it is gone; nobody has to start anything anew."""
    store = NatsStore.from_url(f"{own_nats.url}/shop?timeout=0.5")
    drive(store.create(record("a")))
    own_nats.api("STREAM.DELETE.SESSILE_shop")

    for act in (lambda: store.read(key("a")), lambda: store.create(record("b"))):
        try:
            drive(act())
        except StoreUnavailable as error:
            assert "stream" in str(error)  # noqa: PT017  (one of the two meets it)
    drive(store.create(record("c")))
    assert drive(store.read(key("a"))) is None
    assert drive(store.read(key("c"))) == record("c")
    drive(store.close())


def test_acts_take_few_trips(store, drive):
    """A read is one, a change of what was read one more, a login two, an end two."""
    row = record("a")
    drive(store.create(row))
    drive(store.read(key("a")))
    step = change(row, {"n": b"1"})

    assert count_asks(store.read(key("a")), drive) == ["nats get"]
    assert count_asks(store.commit(step), drive) == ["nats commit"]
    assert count_asks(store.commit(change(step.record, {"n": b"2"})), drive) == ["nats commit"]
    fresh = login(record("b", owner="alice"), old=change(step.record).record)
    assert count_asks(store.replace(fresh), drive) == ["nats get", "nats replace"]
    assert count_asks(store.delete(key("b"), "alice"), drive) == ["nats get", "nats delete"]


def test_commit_of_what_was_not_read_here_reads_it(place, store, drive):
    """As of a session that another process has read, or that a near cache had."""
    other = place.open()
    drive(other.create(record("a")))
    drive(store.ping())

    assert count_asks(store.commit(change(record("a"))), drive) == ["nats get", "nats commit"]
    drive(other.close())


def test_login_is_one_batch(place, store, drive):
    """Its record, the tombstone, the index and what is over the limit come to be together."""
    for name in "ab":
        drive(store.replace(login(record(name, owner="alice"))))
    drive(store.create(record("visitor")))
    before = stream(place.server, place.bucket)["state"]["last_seq"]
    fresh = login(record("c", owner="alice"), old=record("visitor"), limit=1)

    assert drive(store.replace(fresh)) == Replaced((key("a"), key("b")))
    assert stream(place.server, place.bucket)["state"]["last_seq"] == before + 5
    heads = [headers for _, headers, _ in place.server.messages(place.bucket)]
    assert sum(b"Nats-Batch-Id" in each for each in heads) == 5


def test_what_ended_is_forgotten_by_the_server(place, store, drive):
    """Its place says so for a minute, for whoever follows the stream; then nothing is left."""
    drive(store.create(record("a")))
    drive(store.delete(key("a")))

    (message,) = place.server.messages(place.bucket)
    assert message[2] == b"ended"
    assert f"Nats-TTL: {ENDED_TTL}s".encode() in message[1]


def test_crowd_of_dead_sessions_makes_room(store, drive):
    """However many stand in the way of a login, they are removed, and it goes on."""
    dead = [record(f"dead {n}", owner="alice", idle=60.0, at=T0) for n in range(MOST_DEAD + 40)]
    index = StreamIndex()
    for row in dead:
        index = index.with_entry(entry_of(row, index))
    messages = [store._rows.session(row.key, 0, row) for row in dead]
    for some in (messages[:600], messages[600:], [store._rows.index("alice", 0, index)]):
        assert drive(store._stream.store("plant", *some))
    fresh = record("fresh", owner="alice", at=T0 + 120.0)

    answer = drive(store.replace(login(fresh, now=T0 + 120.0, limit=2)))

    assert isinstance(answer, Replaced)
    assert answer.ended == ()
    assert fresh in records_of(store, drive, "alice")
    assert len(records_of(store, drive, "alice")) < MOST_DEAD  # the rest goes when its time comes


def test_larger_message_than_the_server_takes_is_told(own_nats, drive):
    """The error says what to raise, and shows nothing of what was in it."""
    store = NatsStore.from_url(f"{own_nats.url}?timeout=5")
    large = record("a", data={"v": b"secret" * 2_000_000})

    with pytest.raises(StoreUnavailable, match="raise max_payload") as refused:
        drive(store.create(large))
    assert "secret" not in str(refused.value)
    assert drive(store.read(key("a"))) is None
    drive(store.close())


def test_full_disk_refuses_who_comes_and_ends_nobody(own_nats, drive):
    """A stream that may grow no more keeps what it has."""
    store = NatsStore.from_url(f"{own_nats.url}/shop?timeout=5")
    drive(store.create(record("a")))
    config = stream(own_nats, "shop")["config"] | {"max_bytes": 2000}
    assert "error" not in own_nats.api("STREAM.UPDATE.SESSILE_shop", **config)

    large = record("b", data={"v": bytes(2000)})
    with pytest.raises(StoreUnavailable, match="maximum bytes exceeded"):
        drive(store.create(large))
    assert drive(store.read(key("a"))) == record("a")
    drive(store.close())


def findings(store, drive):
    """Return what the doctor says of a store: by subject, the mark and the words."""
    return {each.subject: (each.mark, each.message) for each in drive(store.diagnose())}


def test_doctor_finds_a_sound_server_sound(tmp_path, drive):
    """Its version, who may come, how many hold the sessions, how large one may be."""
    with NatsServer(tmp_path, access="authorization { user: shop, password: pass }") as server:
        place = server.url.replace("://", "://shop:pass@")
        store = NatsStore.from_url(f"{place}?timeout=5")
        found = findings(store, drive)
        drive(store.close())

    assert {mark for mark, _ in found.values()} == {Mark.FINE}
    assert {"version", "access", "copies", "max_payload"} <= found.keys()


def test_doctor_names_what_loses_sessions(tmp_path, drive):
    """A server that takes anybody, small messages, a stream in memory that drops what is old."""
    with NatsServer(tmp_path, access="", max_payload="100000") as server:
        fit = {"allow_msg_ttl": True, "allow_atomic": True, "max_msgs_per_subject": 1}
        subjects = ["$SESSILE.shop.>"]
        more = {"storage": "memory", "discard": "old", "max_bytes": 100_000}
        made = server.api(ADD.format("shop"), name="SESSILE_shop", subjects=subjects, **fit, **more)
        assert "error" not in made
        store = NatsStore.from_url(f"{server.url}/shop?timeout=5")
        found = findings(store, drive)
        drive(store.close())

    assert found["access"][0] is Mark.NOTE
    assert "Policy(max_bytes=87500)" in found["max_payload"][1]
    assert found["storage"][0] is Mark.NOTE
    assert found["discard"][0] is Mark.WRONG
    assert "--discard new" in found["discard"][1]


class OldServer(socketserver.BaseRequestHandler):
    """The greeting of a version that no wheel has, and that systems still ship. It is a fake."""

    def handle(self):
        info = {"server_id": "old", "version": self.server.version, "proto": 1, "headers": True}
        self.request.sendall(b"INFO %s\r\n" % json.dumps(info | {"max_payload": 1000}).encode())
        told = self.request.makefile("rb")
        while line := told.readline():
            if line.startswith(b"PING"):
                self.request.sendall(b"PONG\r\n")


@pytest.mark.parametrize(
    ("kind", "scheme", "version", "says"),
    [
        (NatsStore, "nats", "2.9.10", "2.12.1 or newer is needed, which stores several messages"),
        (NatsStore, "nats", "2.12.0", "2.12.1 or newer is needed.* or write backup://"),
        (BackupStore, "backup", "2.10.26", "2.11 or newer is needed, which gives each message a"),
    ],
)
def test_server_that_is_too_old_is_refused_in_words(drive, kind, scheme, version, says):
    """2.9, as Debian 12 has it, has neither batches nor messages that go; 2.12.0 refuses ours."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OldServer) as server:
        server.daemon_threads, server.version = True, version
        threading.Thread(target=server.serve_forever, daemon=True).start()
        store = kind.from_url(f"{scheme}://127.0.0.1:{server.server_address[1]}?timeout=5")
        with pytest.raises(StoreUnavailable, match=f"is NATS {version}, and {says}"):
            drive(store.read(key("a")))
        drive(store.close())
        server.shutdown()


def test_server_with_tls_and_certificates(tmp_path, drive):
    """The server proves who it is, and so do we; without, neither serves the other."""
    authority = Authority(tmp_path)
    server, client = (authority.issue(name) for name in ("localhost", "client"))
    tls = f"cert_file: {server.file}, key_file: {server.key}, ca_file: {authority.file}"
    settings = f"tls {{ {tls}, verify: true }}"
    with NatsServer(tmp_path, settings=settings) as running:
        url = f"nats+tls://localhost:{running.port}?timeout=5&ca={authority.file}"
        known = NatsStore.from_url(f"{url}&cert={client.file}&key={client.key}")
        strangers = [NatsStore.from_url(each) for each in (url, running.url + "?timeout=5")]
        drive(known.create(record("a")))
        assert drive(known.read(key("a"))) == record("a")
        for stranger in strangers:
            with pytest.raises(StoreUnavailable):
                drive(stranger.read(key("a")))
        for store in (known, *strangers):
            drive(store.close())


def test_user_of_a_credentials_file_is_served(tmp_path, drive):
    """By the JWT and the seed that are in it; whoever has none is refused."""
    file = tmp_path / "shop.creds"
    with NatsServer(tmp_path, access=write_credentials(file)) as server:
        known = NatsStore.from_url(f"{server.url}?timeout=20&credentials={file}")
        stranger = NatsStore.from_url(f"{server.url}?timeout=20")
        drive(known.create(record("a")))
        assert drive(known.read(key("a"))) == record("a")
        with pytest.raises(StoreUnavailable, match="authentication failed"):
            drive(stranger.read(key("a")))
        for store in (known, stranger):
            drive(store.close())


def test_user_who_may_not_is_told_what(tmp_path, drive):
    """At once, and not when the time limit is over."""
    users = """authorization { users = [
        {user: shop, password: pass, permissions: {
            publish: ["$JS.API.STREAM.INFO.SESSILE_shop", "$JS.API.STREAM.MSG.GET.SESSILE_shop"],
            subscribe: "_INBOX.>"}}
        {user: boss, password: pass}
    ] }"""
    with NatsServer(tmp_path, settings=users, access="") as server:
        boss, shop = (
            NatsStore.from_url(server.url.replace("://", f"://{user}:pass@") + "/shop?timeout=20")
            for user in ("boss", "shop")
        )
        drive(boss.create(record("a")))
        assert drive(shop.read(key("a"))) == record("a")
        with pytest.raises(StoreUnavailable, match=r"permissions violation.*\$sessile\.shop\.s\."):
            drive(shop.create(record("b")))
        for store in (boss, shop):
            drive(store.close())


def test_user_with_what_the_docs_say_can_do_everything(tmp_path, drive):
    """Make the stream, every act of a store, and follow it."""
    page = (Path(__file__).parents[2] / "docs" / "stores.md").read_text()
    (lines,) = re.findall(r"```\n(publish: .*?)```", page, re.DOTALL)
    users = (
        f"authorization {{ users = [{{user: shop, password: pass, permissions: {{\n{lines}}}}}] }}"
    )
    with NatsServer(tmp_path, settings=users, access="") as server:
        place = server.url.replace("://", "://shop:pass@") + "/shop?timeout=20"
        store = NatsStore.from_url(place)
        feed = store.open_feed(time.monotonic, tuple)
        drive(store.create(record("visitor")))
        drive(store.replace(login(record("a", owner="alice"), old=record("visitor"), limit=1)))
        drive(store.commit(change(record("a", owner="alice"))))
        hear(feed, lambda heard: heard.as_of is not None)
        assert len(records_of(store, drive, "alice")) == 1
        assert drive(store.count()) == 2
        assert drive(store.size()).bytes > 0
        assert len(drive(store.scan()).records) == 1
        drive(store.delete_owned("alice"))
        drive(store.server_time())
        drive(store.end_everybody())
        feed.close()
        drive(store.close())


def test_green_threads_are_refused(place, monkeypatch):
    """Its loop would run on the very thread that waits for it."""
    monkeypatch.setattr("sessile.wire.nats.loop.green_threads", lambda: "gevent")
    store = place.open()

    with pytest.raises(ConfigError, match="gevent"):
        run(store.read(key("a")))
    assert event_loop.green_threads() is None


def test_forked_child_has_connections_of_its_own(store, place, drive):
    """It neither waits for the parent's thread nor speaks on its connections."""
    run(store.create(record("a")))
    pid = os.fork()
    if pid == 0:
        found = run(store.read(key("a")))
        run(store.close())
        os._exit(0 if found == record("a") else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert run(store.read(key("a"))) == record("a")


def test_loop_that_is_over_is_forgotten(store):
    """Each loop has a connection of its own; that of a closed one is kept by nobody."""
    for n in range(3):
        asyncio.run(arun(store.create(record(f"row {n}"))))

    async def look():
        await arun(store.read(key("row 0")))
        return len(store._client._lanes.all())

    assert asyncio.run(look()) == 1
    run(store.close())


def test_cancelled_act_harms_no_other(store):
    """Who waits no more is not answered; the connection serves the others."""

    async def cancel():
        await arun(store.create(record("a")))
        tasks = [asyncio.create_task(arun(store.read(key("a")))) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await arun(store.close())
        return found

    found = asyncio.run(cancel())
    assert found[1::2] == [record("a")] * 10
    assert all(isinstance(each, asyncio.CancelledError) for each in found[::2])


def test_server_that_hangs_up_is_connected_to_again(own_nats, drive):
    """A read is asked once more; nobody notices."""
    store = NatsStore.from_url(f"{own_nats.url}?timeout=20")
    drive(store.create(record("a")))
    own_nats.stop()
    own_nats.start()

    assert drive(store.read(key("a"))) == record("a")
    drive(store.close())


def test_silent_server_is_given_up_in_time(own_nats, drive):
    """Its connection too: when it is back, nobody waits for what it swallowed."""
    store = NatsStore.from_url(f"{own_nats.url}?timeout=1.5")
    drive(store.create(record("a")))
    own_nats.freeze()
    try:
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                drive(store.read(key("a")))
    finally:
        own_nats.thaw()
    wait = NatsStore.from_url(f"{own_nats.url}?timeout=20")
    assert drive(wait.read(key("a"))) == record("a")
    assert drive(store.read(key("a"))) == record("a")
    for each in (store, wait):
        drive(each.close())


def test_closed_store_leaves_no_connection(own_nats, drive):
    """Nor a thread; what is asked of it then says that it is closed."""
    before = set(threading.enumerate())
    store = NatsStore.from_url(f"{own_nats.url}?timeout=20")
    drive(store.create(record("a")))
    assert own_nats.connections() == 1
    drive(store.close())

    wait_for(lambda: own_nats.connections() == 0, lambda: "it is open still")
    begun = set(threading.enumerate()) - before
    assert "sessile nats" not in {thread.name for thread in begun}
    with pytest.raises(StoreClosed):
        drive(store.read(key("a")))


def test_nats_py_logs_nothing_of_its_own(own_nats, drive, caplog):
    """What it has to say of a connection is in the error that is raised."""
    caplog.set_level(logging.INFO)
    store = NatsStore.from_url(f"{own_nats.url}?timeout=0.5")
    own_nats.stop()
    with pytest.raises(StoreUnavailable, match=r"refused|Connect call failed"):
        drive(store.read(key("a")))
    drive(store.close())

    assert "nats" not in {row.name.partition(".")[0] for row in caplog.records}


def test_many_logins_at_once_are_all_served(own_nats, drive):
    """The server keeps fifty batches at a time; who comes on top waits for one to end."""
    store = NatsStore.from_url(f"{own_nats.url}?timeout=30")
    rows = [record(f"user {n}", owner=f"owner {n}") for n in range(120)]
    answers = drive.together(store.replace(login(row)) for row in rows)
    drive(store.close())

    assert answers == [Replaced()] * len(rows)


def test_answers_are_those_of_their_questions(store, drive):
    """However many are asked at once over one connection."""
    rows = [record(f"row {n}") for n in range(60)]
    for row in rows:
        drive(store.create(row))

    found = drive.together(store.read(Key(row.key)) for row in rows)

    assert found == rows
    steps = [change(row, {"n": b"1"}) for row in rows]
    assert drive.together(store.commit(step) for step in steps) == [COMMITTED] * len(rows)


def test_error_of_a_broken_connection_shows_no_frame(drive):
    """The frames of the driver hold the password in its greeting."""
    store = NatsStore.from_url("nats://user:of-this-test@127.0.0.1:1?timeout=0.5")
    with pytest.raises(StoreUnavailable) as refused:
        drive(store.read(key("a")))
    cause = refused.value.__cause__

    while cause is not None:
        frame = cause.__traceback__
        while frame is not None:
            assert "nats/aio" not in frame.tb_frame.f_code.co_filename
            frame = frame.tb_next
        cause = cause.__cause__ or cause.__context__
    drive(store.close())
    assert NatsConnection.__module__ == "sessile.wire.nats.connection"
