"""Other servers than the newest: which serve, beside which others, and what the rest are told."""

import shutil
import signal
from contextlib import suppress
from functools import partial
from typing import ClassVar

import pytest

from harness.nats_place import BackupPlace
from harness.nats_server import (
    BATCHLESS,
    OLDEST,
    NatsCluster,
    newest_nats,
    older_nats,
    shared_nats,
    wait_for,
)
from harness.nats_writer import NatsWriter
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.backup import BackupStore
from sessile.stores.contract import Replaced
from sessile.stores.finding import Mark
from sessile.stores.nats import NatsStore
from sessile.stores.nats_stream import config_of
from sessile.stores.replicated import ReplicatedStore
from sessile.testing.conformance import StoreContract
from sessile.testing.place import Backend
from sessile.testing.promises.everybody import Everybody
from sessile.testing.promises.limits import OwnerLimits
from sessile.testing.promises.owners import Owners
from sessile.testing.promises.replacing import Replacing
from sessile.testing.promises.sizes import Sizes
from sessile.testing.sample import login, record, records_of

LONG = 30.0
"""Seconds that outlast any election, on a busy machine too."""

SCHEMES = {"nats": NatsStore, "replicated": ReplicatedStore, "backup": BackupStore}


class BatchlessPlace(BackupPlace):
    """A bucket of a server that stores each message by itself."""

    free: ClassVar = []
    serve = staticmethod(partial(shared_nats, BATCHLESS))


WITHOUT_BATCHES = Backend("backup without batches", BackupStore, BatchlessPlace)
GROUPS = [Owners, OwnerLimits, Replacing, Everybody, Sizes]


class TestWithoutBatches(StoreContract, backends=[WITHOUT_BATCHES], groups=GROUPS):
    """A two-phase commit takes none: 2.11 keeps what is promised of several messages, too."""


def open_at(servers, scheme, bucket):
    """Open a store of one shard, or of none, whose acts outlast an election."""
    url = f"{servers.url.replace('nats:', f'{scheme}:')}/{bucket}?timeout={LONG}"
    return SCHEMES[scheme].from_url(f"{url}&shards=1" if scheme == "backup" else url)


def stream_of(scheme, bucket):
    """Return what the name of the one stream ends with."""
    return f"{bucket}_0" if scheme == "backup" else bucket


def log_in(store, name):
    """Log somebody in who had a session before: an act of four messages."""
    before = record(f"{name} before")
    run(store.create(before))
    fresh = record(name, owner="alice")
    assert run(store.replace(login(fresh, old=before))) == Replaced()
    return fresh


@pytest.mark.parametrize("scheme", ["nats", "replicated"])
def test_server_without_batches_is_refused_with_what_to_write(scheme):
    """Better nothing is stored than half of a login."""
    store = open_at(shared_nats(BATCHLESS), scheme, "shop")
    says = rf"is NATS {BATCHLESS}, and {OLDEST} or newer is needed.*; or write backup://"
    with pytest.raises(StoreUnavailable, match=says):
        run(store.create(record("a")))
    run(store.close())


def test_batch_that_was_stored_one_by_one_is_no_success():
    """A server that knows none may lead the stream behind one that does: its answer tells."""
    store = open_at(shared_nats(BATCHLESS), "backup", "batchless")
    shard = store._shards.all[0]
    messages = [shard.rows.session(row.key, 0, row) for row in (record("a"), record("b"))]

    with pytest.raises(StoreUnavailable, match=r"older than 2\.12, and has stored one by one"):
        run(shard.stream.store("plant", *messages))
    run(store.close())


def test_shards_are_made_without_batches():
    """So a server that knows none may hold them, too; those of before are taken as they are."""
    server = shared_nats()
    fresh, former = (open_at(server, "backup", name) for name in ("fresh", "former"))
    place = former._shards.all[0].place
    config = {"num_replicas": 1, "max_msgs_per_subject": 1, "allow_msg_ttl": True}
    config |= {"allow_atomic": True, "allow_direct": True, "discard": "new"}
    config |= {"metadata": config_of(place, 1).metadata, "duplicate_window": 1_000_000_000}
    made = server.api(
        "STREAM.CREATE.SESSILE_former_0",
        name="SESSILE_former_0",
        subjects=[f"{place.subjects}>"],
        **config,
    )
    assert made["config"]["allow_atomic"]

    for store in (fresh, former):
        row = log_in(store, "a")
        assert records_of(store, run, "alice") == [row]
        run(store.close())
    assert "allow_atomic" not in server.api("STREAM.INFO.SESSILE_fresh_0")["config"]


def cluster_of(folder, *programs):
    """Return servers that run those programs; None is the newest."""
    cluster = NatsCluster(folder, len(programs))
    for server, program in zip(cluster.servers, programs, strict=True):
        server.program = program or server.program
    return cluster


@pytest.fixture(scope="module")
def oldest_beside(tmp_path_factory):
    """Three servers, of which the third is the oldest that serves every store."""
    with cluster_of(tmp_path_factory.mktemp("nats"), None, None, older_nats(OLDEST)) as cluster:
        yield cluster


def takes_streams(cluster):
    """Tell whether all of them are known to be there."""
    spare = {"name": "spare", "subjects": ["spare"], "num_replicas": len(cluster.servers)}
    with suppress(OSError):
        return "error" not in cluster.api("STREAM.CREATE.spare", **spare)
    return False


@pytest.fixture(scope="module")
def batchless_beside(tmp_path_factory):
    """Three servers, of which the third knows no batches, and came last: it leads no cluster."""
    program = older_nats(BATCHLESS)
    with NatsCluster(tmp_path_factory.mktemp("nats")) as cluster:
        last = cluster.servers[2]
        last.stop(signal.SIGTERM)
        shutil.rmtree(last.folder / "files")
        last.program = program
        cluster.heal()
        wait_for(partial(takes_streams, cluster), lambda: "the others do not know it")
        yield cluster


def lead_in_turn(cluster, scheme, servers):
    """Log somebody in while each of those servers leads, as somebody else writes on."""
    store = open_at(cluster, scheme, scheme)
    rows = [log_in(store, "at first")]
    with NatsWriter(store) as writer:
        for server in servers:
            cluster.move_leader(stream_of(scheme, scheme), server)
            rows.append(log_in(store, server.name))
            writer.go_on()
    writer.check()
    assert records_of(store, run, "alice") == rows
    run(store.close())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_older_server_leads_as_well_as_the_others(oldest_beside, scheme):
    """And hands over again: whatever was acknowledged is there."""
    new, _, old = oldest_beside.servers
    lead_in_turn(oldest_beside, scheme, [old, new])


def test_shard_is_led_by_a_server_without_batches(batchless_beside):
    """It needs none; and its leader may be one that has them again."""
    new, _, old = batchless_beside.servers
    lead_in_turn(batchless_beside, "backup", [old, new])


def versions_told(store):
    """Return what the doctor says of versions: mark and words."""
    return [
        (each.mark, each.message) for each in run(store.diagnose()) if each.subject == "version"
    ]


def test_doctor_tells_that_versions_differ(oldest_beside):
    """Which server has which, and what to do."""
    store = open_at(oldest_beside, "nats", "nats")
    ((mark, text),) = versions_told(store)
    run(store.close())

    assert mark is Mark.NOTE
    assert f"{OLDEST} on c" in text
    assert " on a, b" in text
    assert "update one after the other" in text


def test_server_without_batches_holds_no_stream_that_has_them(batchless_beside):
    """The two others go on without it, and the doctor names it with what to write."""
    new, other, old = batchless_beside.servers
    store = open_at(batchless_beside, "nats", "nats")
    row = log_in(store, "a")
    told = {each.subject: each for each in run(store.diagnose())}
    batchless_beside.api("STREAM.LEADER.STEPDOWN.SESSILE_nats", placement={"preferred": old.name})
    another = log_in(store, "b")

    assert batchless_beside.leader("nats") in (new, other)
    assert records_of(store, run, "alice") == [row, another]
    run(store.close())
    assert told["version"].mark is told["followers"].mark is Mark.WRONG
    assert told["version"].message.startswith(f"c: its server is NATS {BATCHLESS}, and {OLDEST}")
    assert "write backup://" in told["version"].message
    assert told["followers"].message.startswith("c: ")


def test_servers_are_updated_one_after_the_other(tmp_path):
    """From the oldest to the newest, under writes: nothing fails, and nothing is lost."""
    with cluster_of(tmp_path, *[older_nats(OLDEST)] * 3) as cluster:
        store = open_at(cluster, "nats", "nats")
        rows = [log_in(store, "before")]
        with NatsWriter(store) as writer:
            for server in cluster.servers:
                server.stop(signal.SIGTERM)
                server.program = newest_nats()
                cluster.heal()
                rows.append(log_in(store, server.name))
                writer.go_on()
        writer.check()
        told = versions_told(store)
        assert records_of(store, run, "alice") == rows
        run(store.close())

    ((mark, text),) = told
    assert mark is Mark.FINE
    assert OLDEST not in text
