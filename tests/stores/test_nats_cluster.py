"""Three NATS servers hold everything together: what is lost when some of them are, and when."""

import asyncio
import time

import pytest

from harness.nats_server import NatsCluster, wait_for
from harness.nats_writer import NatsWriter
from sessile.core.flow import arun, run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Replaced
from sessile.stores.finding import Mark
from sessile.stores.nats import NatsStore
from sessile.testing.sample import change, key, login, record, records_of
from sessile.wire.nats.lease import LEASE

BUCKET = "shop"
LONG = 30.0
"""Seconds that outlast any election, on a busy machine too."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with NatsCluster(tmp_path_factory.mktemp("nats")) as cluster:
        yield cluster


@pytest.fixture
def healed(cluster):
    """The cluster, with all servers; and so it is left."""
    cluster.heal()
    yield cluster
    cluster.heal()


@pytest.fixture
def patient(healed):
    """A store whose acts wait until there is a leader, in a bucket that is empty."""
    store = NatsStore.from_url(f"{healed.url}/{BUCKET}?timeout={LONG}")
    run(store.end_everybody())
    yield store
    run(store.close())


@pytest.fixture
def hasty(healed):
    """A store that gives up soon."""
    store = NatsStore.from_url(f"{healed.url}/{BUCKET}?timeout=0.3")
    yield store
    run(store.close())


def test_stream_has_three_copies_unless_told(patient, healed):
    """As many as a majority takes; a URL may say another number."""
    run(patient.ping())
    single = NatsStore.from_url(f"{healed.url}/alone?timeout={LONG}&copies=1")
    run(single.ping())
    run(single.close())
    copies = {
        bucket: healed.api(f"STREAM.INFO.SESSILE_{bucket}")["config"]["num_replicas"]
        for bucket in (BUCKET, "alone")
    }

    assert copies == {BUCKET: 3, "alone": 1}


def test_doctor_names_who_does_not_follow(patient, healed):
    """And a stream that one of several holds; while all are well it names the leader."""
    run(patient.ping())
    single = NatsStore.from_url(f"{healed.url}/alone?timeout={LONG}&copies=1")
    found = {each.subject: each for each in run(patient.diagnose())}
    alone = {each.subject: each for each in run(single.diagnose())}
    run(single.close())
    assert found["leader"].message == healed.leader(BUCKET).name
    assert (found["copies"].mark, alone["copies"].mark) == (Mark.FINE, Mark.NOTE)
    assert "--replicas 3" in alone["copies"].message

    away = healed.follower(BUCKET)
    away.stop()
    wait_for(
        lambda: any(each.subject == "followers" for each in run(patient.diagnose())),
        lambda: "nobody is missed",
        LONG,
    )
    (missed,) = (each for each in run(patient.diagnose()) if each.subject == "followers")
    assert missed.mark is Mark.WRONG
    assert missed.message.startswith(f"{away.name}: ")


def test_doctor_gives_them_something_to_follow(patient, healed):
    """A leader takes a server that lost its disk for whole until it is told something new."""
    run(patient.ping())
    before = healed.api(f"STREAM.INFO.SESSILE_{BUCKET}")["state"]["last_seq"]
    found = run(patient.diagnose())

    assert "followers" not in {each.subject for each in found}
    assert healed.api(f"STREAM.INFO.SESSILE_{BUCKET}")["state"]["last_seq"] == before + 1


def test_more_copies_than_servers_are_refused_in_words(healed):
    store = NatsStore.from_url(f"{healed.url}/five?timeout=5&copies=5")
    with pytest.raises(StoreUnavailable, match="to be held by 5 servers"):
        run(store.ping())
    run(store.close())


@pytest.mark.parametrize("way", ["kill", "freeze"])
@pytest.mark.parametrize("who", ["leader", "follower"])
def test_who_waits_notices_no_failure(patient, healed, who, way):
    """Whichever server is killed or frozen, with a limit that outlasts an election nothing fails.

    Nothing that was acknowledged is lost, and nothing is stored twice.
    """
    run(patient.ping())
    writer = NatsWriter(patient)
    victim = healed.leader(BUCKET) if who == "leader" else healed.follower(BUCKET)
    with writer:
        writer.go_on()
        victim.stop() if way == "kill" else victim.freeze()
        writer.go_on()
        victim.start() if way == "kill" else victim.thaw()

    writer.check()


def read_on(store, answers):
    """Read a session again and again."""
    while True:
        answers.append(run(store.read(key("a"))))
        time.sleep(0.1)


def test_minority_says_nothing(patient, hasty, healed):
    """Of three one alone is left: it acknowledges nothing, and makes nobody a visitor.

    What was not acknowledged may have been done all the same, once the others are there again.
    """
    for name in "abc":
        run(patient.create(record(name)))
    run(hasty.read(key("a")))
    one, two, _ = healed.servers
    one.stop()
    two.stop()
    answers = []
    for act in (
        lambda: hasty.commit(change(record("b"))),
        lambda: hasty.replace(login(record("d", owner="alice"))),
        lambda: hasty.delete(key("c")),
        hasty.end_everybody,
    ):
        with pytest.raises(StoreUnavailable):
            run(act())
    with pytest.raises(StoreUnavailable):
        read_on(hasty, answers)  # until the one that is left has noticed, it reads what it knows
    assert all(found == record("a") for found in answers)

    healed.heal()
    run(patient.create(record("later")))
    assert run(patient.read(key("later"))) == record("later")


def test_leader_that_is_alone_is_soon_not_believed(patient, healed):
    """The others may have another one by then, and what it has may be old: it is a 503.

    It does not know that itself for some ten seconds, and answers so long.
    """
    run(patient.create(record("a")))
    leader = healed.leader(BUCKET)
    store = NatsStore.from_url(f"{leader.url}/{BUCKET}?timeout=0.3")
    assert run(store.read(key("a"))) == record("a")
    for server in healed.servers:
        if server is not leader:
            server.stop()
    alone, began = time.monotonic(), []

    def read_until_refused():
        while True:
            began.append(time.monotonic())
            assert run(store.read(key("a"))) == record("a")
            time.sleep(0.05)

    with pytest.raises(StoreUnavailable):
        read_until_refused()
    *answered, _ = began
    run(store.close())

    assert all(at < alone + LEASE for at in answered)


def test_all_were_killed_and_come_back(patient, healed):
    """What was acknowledged is there; what had ended has ended."""
    run(patient.replace(login(record("a", owner="alice"))))
    run(patient.create(record("b")))
    run(patient.delete(key("b")))
    healed.each("stop")
    healed.heal()

    assert run(patient.read(key("b"))) is None
    assert records_of(patient, run, "alice") == [record("a", owner="alice")]


@pytest.fixture
def cramped(healed):
    """One of the servers, whose files may take little; the others have room."""
    one = healed.servers[2]
    one.stop()
    one.disk = ", max_file_store: 8MB"
    one.start()
    healed.heal()
    yield one
    one.stop()
    one.disk = ""
    one.start()


def test_full_disk_of_one_is_as_if_it_were_away(patient, healed, cramped):
    """The others go on, one of them in its place; with room again it has everything again."""
    run(patient.ping())

    healed.move_leader(BUCKET, cramped)
    rows = [record(f"row {number}", data={"v": bytes(500_000)}) for number in range(40)]
    for row in rows:
        run(patient.create(row))
    assert healed.leader(BUCKET) is not cramped
    (told,) = (each for each in run(patient.diagnose()) if each.subject == "followers")
    assert told.message.startswith(f"{cramped.name}: ")

    cramped.stop()
    cramped.disk = ""
    cramped.start()
    healed.heal()
    healed.servers[0].stop()  # what the full one missed it is asked for
    assert [run(patient.read(row.key)) for row in rows] == rows


def test_planned_change_of_the_leader_stalls_nobody(patient, healed):
    """Its stepping down takes no election that anybody would notice."""
    run(patient.ping())
    writer = NatsWriter(patient)
    with writer:
        for _ in range(3):
            healed.api(f"STREAM.LEADER.STEPDOWN.SESSILE_{BUCKET}")
            writer.go_on()

    writer.check()


def test_rivals_at_three_servers_keep_a_limit(patient, healed):
    """Each logs in through another server, at once: one session is left."""

    async def log_in():
        stores = [
            NatsStore.from_url(f"{server.url}/{BUCKET}?timeout={LONG}") for server in healed.servers
        ]
        rows = [record(f"rival {n}", owner="alice") for n in range(15)]
        answers = await asyncio.gather(
            *(arun(stores[n % 3].replace(login(row, limit=1))) for n, row in enumerate(rows))
        )
        for store in stores:
            await arun(store.close())
        return rows, answers

    rows, answers = asyncio.run(log_in())
    (left,) = records_of(patient, run, "alice")
    ended = [each for answer in answers for each in answer.ended]

    assert all(isinstance(answer, Replaced) for answer in answers)
    assert sorted([*ended, left.key]) == sorted(row.key for row in rows)
