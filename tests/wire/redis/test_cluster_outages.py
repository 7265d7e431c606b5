"""Nodes of a cluster that are gone, silent or lying: told in time, with what to do about it."""

import socket
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from harness.certificates import Authority
from harness.redis_cluster import SLOTS, RedisCluster, key_in
from harness.sentinels import eventually
from sessile.errors import StoreUnavailable
from sessile.testing.drive import COLOURS
from sessile.wire.commands.repeat import Repeat, Repeated
from sessile.wire.redis.endpoint import Tls
from sessile.wire.redis.slots import slot_of
from wire.redis.clusters import PATIENT, alone, ask, client_at, client_of, close, map_of
from wire.redis.scripted import HANG_UP, SILENCE, ScriptedServer

LIMIT = 0.5
SLACK = 2.0
"""Seconds that a busy machine may add."""

ONE = f"{key_in(5)}one"
OK = b"+OK\r\n"
SECRET = "hunter2-and-more"


@pytest.fixture
def play():
    """What starts a server that plays scripts; in the first it begins with having all slots."""
    with ExitStack() as stack:

        def play(*scripts, has_slots=True):
            scripts = [[*script] for script in scripts]
            server = stack.enter_context(ScriptedServer(*scripts))
            if has_slots:
                scripts[0].insert(0, alone(server))
            return server

        yield play


@pytest.fixture
def opened(drive, play):
    """What opens a client, and closes it after the test."""
    clients = []

    def opened(make, *places, **more):
        clients.append(make(*places, **more))
        return clients[-1]

    yield opened
    for client in clients:
        drive(close(client))


@pytest.fixture
def failing(drive):
    """What drives a flow that must fail, in time, and returns why."""

    def failing(flow, within=LIMIT):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            drive(flow)
        assert time.monotonic() - began < within + SLACK
        return refused.value.why

    return failing


@pytest.fixture
def single(tmp_path):
    """A cluster of one node that has every slot; it does not know its own address."""
    with RedisCluster(tmp_path, primaries=1, replicas=0) as cluster:
        yield cluster


@pytest.fixture
def nobody():
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    return "127.0.0.1", port


def place_of(server):
    """Return where a scripted server is."""
    return "127.0.0.1", server.port


@pytest.mark.parametrize("repeat", [Repeat.NEVER, Repeat.HARMLESS], ids=["write", "read"])
def test_replica_takes_over(redis_cluster, opened, drive, repeat):
    """What is asked after a primary was killed is asked until its replica answers."""
    client = opened(client_of, redis_cluster, timeout=PATIENT)
    drive(ask(client, "SET", ONE, "1"))
    primary = redis_cluster.primary_of(slot_of(ONE))
    assert primary.ask("WAIT", 1, 10_000) == 1
    primary.stop()
    assert drive(ask(client, "GETSET", ONE, "2", repeat=repeat)) == b"1"
    assert redis_cluster.primary_of(slot_of(ONE)) is not primary


def test_frozen_primary_is_left_when_its_replica_takes_over(redis_cluster, opened, failing, drive):
    """While it is silent its slots fail in time; afterwards nobody has to be started again."""
    client = opened(client_of, redis_cluster, timeout=LIMIT)
    primary = redis_cluster.primary_of(slot_of(ONE))
    drive(ask(client, "SET", ONE, "1"))
    assert primary.ask("WAIT", 1, 10_000) == 1
    primary.freeze()
    assert "no answer within 0.5 s" in failing(ask(client, "GET", ONE))

    def answers():
        try:
            return drive(ask(client, "GET", ONE)) == b"1"
        except StoreUnavailable:
            return False

    eventually(answers, "the replica is asked")


def test_cluster_that_is_gone_fails_in_time(single, opened, failing, drive):
    """Where no node is left, whoever asks hears of each that was asked, and it heals."""
    client = opened(client_of, single, timeout=LIMIT)
    drive(ask(client, "SET", ONE, "1"))
    node = single.nodes[0]
    node.stop()
    for _ in range(2):
        why = failing(ask(client, "GET", ONE))
        assert "no node of the cluster tells where the slots are" in why
        assert f"127.0.0.1:{node.port}: " in why
    assert "no node of the cluster tells" in failing(client.slot_map())
    single.heal()
    eventually(lambda: drive(ask(client, "GET", ONE)) is None, "it answers")


def test_next_seed_is_asked(redis_cluster, opened, play, drive, nobody):
    """Seeds that are gone or silent keep nobody from the cluster."""
    silent = place_of(play([SILENCE], has_slots=False))
    limit = 6.0
    client = opened(client_at, nobody, silent, redis_cluster.nodes[0].place, timeout=limit)
    began = time.monotonic()
    assert drive(ask(client, "SET", ONE, "1")) == b"OK"
    assert time.monotonic() - began < limit - 1
    assert len(drive(client.slot_map()).primaries) == 3


def test_server_that_is_no_cluster_says_what_to_write(own_redis, opened, failing):
    """The error names the seed and the URL that it takes, without waiting for the limit."""
    client = opened(client_at, ("127.0.0.1", own_redis.port), timeout=60.0)
    why = failing(ask(client, "GET", ONE))
    assert f"127.0.0.1:{own_redis.port} is no node of a cluster; write redis://" in why


@pytest.mark.parametrize("password", [None, "wrong-guess"], ids=["none", "wrong"])
def test_wrong_password_is_named_and_not_shown(tmp_path, opened, drive, password):
    """Who is not let in hears of it at once; with the right one every node is open."""
    with RedisCluster(tmp_path, primaries=2, replicas=0, password=SECRET) as cluster:
        client = opened(client_of, cluster, timeout=60.0, password=password)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable) as refused:
            drive(ask(client, "GET", ONE))
        assert time.monotonic() - began < SLACK + LIMIT
        assert "authentication failed; check the URL's user name and password" in refused.value.why
        told = "".join(traceback.format_exception(refused.value))
        assert (password or SECRET) not in told

        client = opened(client_of, cluster, password=SECRET)
        for slot in (0, SLOTS - 1):
            assert drive(ask(client, "SET", key_in(slot), "1")) == b"OK"


def test_server_that_quotes_the_password_is_not_quoted(opened, play, failing):
    """A node without passwords that quotes what it does not understand gets it into no error."""
    quotes = f"-ERR AUTH {SECRET} called without any password configured\r\n".encode()
    server = play([quotes], [quotes], has_slots=False)
    client = opened(client_at, place_of(server), password=SECRET, timeout=LIMIT)
    why = failing(ask(client, "GET", ONE))

    assert "takes no password" in why
    assert SECRET not in why


def test_node_that_names_no_host_is_where_it_was_asked(single, opened, drive):
    """One that was never met from outside does not know its address, and needs not."""
    assert single.nodes[0].ask("CLUSTER", "SLOTS")[0][2][0] in (b"", None)
    client = opened(client_of, single)
    assert drive(ask(client, "SET", ONE, "1")) == b"OK"


def test_address_that_leads_nowhere_from_here_is_named(single, opened, failing, nobody):
    """The error says which address the cluster announces, and which settings change that."""
    single.nodes[0].ask("CONFIG", "SET", "cluster-announce-port", nobody[1])
    why = failing(ask(opened(client_of, single, timeout=LIMIT), "GET", ONE))
    assert f"127.0.0.1:{nobody[1]}: " in why
    assert "set cluster-announce-ip, -hostname or -port there to what leads to it from here" in why


def test_name_that_is_none_is_told(single, opened, failing):
    """A cluster that prefers names, and has none, is told which setting is missing."""
    single.nodes[0].ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "hostname")
    why = failing(ask(opened(client_of, single, timeout=LIMIT), "GET", ONE))
    assert "write cluster-announce-hostname in its configuration" in why


@pytest.mark.parametrize("announced", ["localhost", "127.0.0.1"])
def test_name_that_is_announced_is_verified(tmp_path, opened, drive, failing, announced):
    """Under TLS a node proves to be who the cluster says it is, whatever the seed was called."""
    authority = Authority(tmp_path)
    named = ("--cluster-announce-hostname", announced, "--cluster-announce-ip", "127.0.0.1")
    options = (*named, "--cluster-preferred-endpoint-type", "hostname")
    with RedisCluster(
        tmp_path, primaries=1, replicas=0, authority=authority, options=options
    ) as cluster:
        seed = ("localhost", cluster.nodes[0].port)
        client = opened(client_at, seed, tls=Tls(ca=authority.file), timeout=60.0)
        if announced == "localhost":
            assert drive(ask(client, "SET", ONE, "1")) == b"OK"
        else:
            why = failing(ask(client, "SET", ONE, "1"))
            assert f"127.0.0.1:{cluster.nodes[0].port}: " in why
            assert "certificate" in why


@pytest.mark.parametrize("colour", COLOURS)
def test_slot_of_nobody_is_waited_for(single, colour):
    """While a slot has no node it is asked for again, and served as soon as it has one."""
    drive, node, slot = COLOURS[colour](), single.nodes[0], slot_of(ONE)
    client = client_of(single, timeout=PATIENT)
    drive(ask(client, "SET", ONE, "1"))
    node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    node.ask("CLUSTER", "DELSLOTS", slot)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(drive, ask(client, "GET", ONE))
        eventually(lambda: single.refusals()["CLUSTERDOWN"], "it was asked")
        eventually(lambda: node.calls()["cluster|slots"] > 5, "it looks again")
        node.ask("CLUSTER", "ADDSLOTS", slot)
        assert answer.result() is None or answer.result() == b"1"
    drive(close(client))
    drive.close()


def test_slot_of_nobody_fails_in_time(single, opened, failing, drive):
    """The error says which slot it is, and that nobody has it."""
    single.nodes[0].ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    single.nodes[0].ask("CLUSTER", "DELSLOTS", slot_of(ONE))
    fresh = opened(client_of, single, timeout=LIMIT)
    assert f"has slot {slot_of(ONE)}; see CLUSTER INFO" in failing(ask(fresh, "GET", ONE))
    assert drive(ask(fresh, "SET", key_in(6), "1")) == b"OK"


@pytest.mark.parametrize(
    "code", ["LOADING in memory", "CLUSTERDOWN The cluster is down", "MASTERDOWN no", "READONLY no"]
)
def test_node_that_performed_nothing_is_asked_again(opened, play, drive, code):
    """A write, too: it says that nothing was done, and after a look it is asked again."""
    script = [f"-{code}\r\n".encode()]
    server = play(script, [])
    server._scripts[0].extend([alone(server), OK, SILENCE])
    if code.startswith(("MASTERDOWN", "READONLY")):  # on threads that connection is left
        server._scripts[1].extend([alone(server), OK, SILENCE])
    client = opened(client_at, place_of(server))
    assert drive(ask(client, "SET", ONE, "1")) == b"OK"
    heard = [said for connection in server.heard for said in connection]
    assert [b"CLUSTER" in said for said in heard] == [True, False, True, False]


def test_write_whose_connection_broke_is_sent_once(opened, play, failing):
    """It may have been performed: nobody sends it again, to no node."""
    server = play([HANG_UP], [SILENCE])
    client = opened(client_at, place_of(server), timeout=LIMIT)
    failing(ask(client, "INCR", ONE))

    assert [b"INCR" in said for said in server.heard[0]] == [False, True]
    assert not any(b"INCR" in said for said in server.heard[1])


@pytest.mark.parametrize(
    ("repeat", "reply"),
    [(Repeat.HARMLESS, b"OK"), (Repeat.TOLD, Repeated(b"OK"))],
    ids=["harmless", "told"],
)
def test_what_may_be_is_sent_once_more(opened, play, drive, repeat, reply):
    """And whoever is to know hears that it may have been performed twice."""
    server = play([HANG_UP], [OK, SILENCE])
    client = opened(client_at, place_of(server))
    assert drive(ask(client, "SET", ONE, "1", repeat=repeat)) == reply


def test_nodes_that_send_us_in_a_circle_cost_the_time_limit(opened, play, failing):
    """Redirections are followed, with pauses, until the time is over."""
    server = play([])
    moved = f"-MOVED {slot_of(ONE)} 127.0.0.1:{server.port}\r\n".encode()
    server._scripts[0].extend([moved] * 1000)
    client = opened(client_at, place_of(server), timeout=LIMIT)
    why = failing(ask(client, "GET", ONE))
    assert f"MOVED {slot_of(ONE)}" in why or "no answer within 0.5 s" in why

    assert 3 < len(server.heard[0]) < 150


@pytest.mark.parametrize(
    "said",
    [
        b"+OK\r\n",
        b"*0\r\n",
        b"$-1\r\n",
        map_of((0, SLOTS, ("127.0.0.1", 7001))),
        map_of((0, 9, ("127.0.0.1", 70_001))),
        map_of((0, 9, ("a b", 7001))),
        map_of((0, 9, ("127.0.0.1", 7001)), (5, 20, ("127.0.0.1", 7002))),
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
    ids=repr,
)
def test_hostile_map_is_an_outage(opened, play, failing, said):
    """What is no map sends nobody anywhere; the error names who said it."""
    server = play(*([said] * 100 for _ in range(100)), has_slots=False)
    client = opened(client_at, place_of(server), timeout=LIMIT)
    assert f"127.0.0.1:{server.port}: " in failing(ask(client, "GET", ONE))


@pytest.mark.parametrize("to", ["a b:7001", "127.0.0.1:0", "127.0.0.1:99999", "?:7001", "x"])
@pytest.mark.parametrize("code", ["MOVED", "ASK"])
def test_hostile_redirection_is_an_outage(opened, play, failing, code, to):
    """It is not followed, and the error names who sent us there."""
    server = play([f"-{code} {slot_of(ONE)} {to}\r\n".encode(), SILENCE])
    client = opened(client_at, place_of(server), timeout=LIMIT)
    why = failing(ask(client, "GET", ONE))

    assert f"127.0.0.1:{server.port}: its redirection is malformed" in why
