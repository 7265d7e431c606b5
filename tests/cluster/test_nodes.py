"""Three nodes with mutual TLS, as processes: a planned restart stalls nobody, a stranger is out."""

import json
import re
import shutil
import signal
import socket
import ssl
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from harness.certificates import Authority
from harness.nats_server import KnownNats, wait_for
from harness.nodes import LONG, NodeProcess, Nodes
from harness.programs import free_port
from sessile.cluster.authority import CertificateAuthority
from sessile.cluster.peers import NodePeer
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.backup import BackupStore
from sessile.stores.contract import Committed
from sessile.stores.nats import NatsStore
from sessile.testing.sample import change, key, record

BUCKET, SPREAD = "shop", "spread"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    with Nodes(tmp_path_factory.mktemp("nodes")) as nodes:
        yield nodes


@pytest.fixture
def whole(nodes):
    """All three run, and have all that is stored."""
    for node in nodes.nodes:
        if node.process.poll() is not None:
            node.start()
    store = NatsStore.from_url(nodes.url(BUCKET, f"?timeout={LONG}"))
    wait_for(lambda: answers(store), lambda: "three nodes do not hold the stream", LONG)
    wait_for(lambda: nodes.are_whole(BUCKET), lambda: "not all have caught up", LONG)
    yield nodes
    run(store.close())


@pytest.fixture
def patient(whole):
    """A store of all three that waits as long as an election may take."""
    store = NatsStore.from_url(whole.url(BUCKET, f"?timeout={LONG}"))
    yield store
    run(store.close())


def followers(store):
    """What ``sessile doctor`` says of those that are away or behind, if there are any."""
    return [each.message for each in run(store.diagnose()) if each.subject == "followers"]


def answers(store):
    """Tell whether it does, now that all nodes have found each other."""
    with suppress(StoreUnavailable):
        run(store.ping())
        return True
    return False


class NodeWriter:
    """Changes a session again and again, on a thread, with the time limit of its URL."""

    def __init__(self, url, name):
        self._store = NatsStore.from_url(url)
        self._row, self._stop = record(name), threading.Event()
        run(self._store.create(self._row))
        self.failures, self.count = [], 0
        self._thread = threading.Thread(target=self._write)

    def _write(self):
        while not self._stop.is_set():
            step = change(self._row, {"n": b"%d" % self.count})
            try:
                assert isinstance(run(self._store.commit(step)), Committed)
            except StoreUnavailable as error:
                self.failures.append(str(error))
                return
            self._row = step.record
            self.count += 1

    def __enter__(self):
        self._thread.start()
        self.go_on()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()
        run(self._store.close())

    def go_on(self):
        """Wait until some more are stored."""
        seen = self.count
        wait_for(lambda: self.failures or self.count > seen + 10, lambda: "nothing is stored", LONG)

    def check(self, patient):
        """Make sure that nothing failed, and that all is there."""
        assert self.failures == []
        assert run(patient.read(self._row.key)) == self._row


def test_three_nodes_hold_everything(whole):
    """Whatever one is told the others have."""
    first, *others = (NatsStore.from_url(node.url(BUCKET, "?timeout=10")) for node in whole.nodes)
    run(first.create(record("a")))
    found = [run(store.read(key("a"))) for store in others]
    for store in (first, *others):
        run(store.close())

    assert found == [record("a")] * 2
    assert whole.info(BUCKET)["config"]["num_replicas"] == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_planned_restart_of_the_leader_stalls_nobody(whole, patient, number):
    """With half the time that the shortest election takes no act is a 503, and nothing is lost."""
    with NodeWriter(whole.url(BUCKET, "?timeout=2"), f"written {number}") as writer:
        leader = whole.leader(BUCKET)
        before = leader.said
        assert leader.ask_to_stop(number).end() == 0
        told = leader.said.removeprefix(before)
        writer.go_on()
        leader.start()
        writer.go_on()

    writer.check(patient)
    assert "Entering lame duck mode" in told
    assert not re.search('Trapped "(terminated|interrupt)"', told)  # which end it at once


def test_node_that_is_asked_twice_ends_at_once(whole):
    """Whoever is in a hurry need not wait for clients to go."""
    node = whole.nodes[0]
    store = NatsStore.from_url(node.url(BUCKET, "?timeout=10"))
    run(store.ping())
    before = node.said
    node.ask_to_stop()
    wait_for(
        lambda: "Entering lame duck mode" in node.said.removeprefix(before),
        lambda: node.said[-500:],
        LONG,
    )
    node.ask_to_stop()

    assert node.end() == 0
    assert 'Trapped "terminated" signal' in node.said.removeprefix(before)
    run(store.close())


def test_node_that_has_lost_its_disk_is_filled(whole, patient):
    """A host that is replaced needs its name and its certificate, and no more."""
    run(patient.create(record("kept")))
    lost, other, _ = whole.nodes
    lost.ask_to_stop().end()
    shutil.rmtree(lost.folder / "jetstream")
    lost.start()
    wait_for(lambda: not followers(patient), lambda: "it has not caught up", LONG)
    other.ask_to_stop().end()  # of two, the one that was empty is needed

    assert run(patient.read(key("kept"))) == record("kept")
    run(patient.create(record("later")))


def keeper_of(node):
    """Return the user by which a node has its server lead, as its file says."""
    (line,) = (row for row in node.config.splitlines() if row.startswith("accounts: "))
    *_, user = json.loads(line.removeprefix("accounts: "))["SESSILE"]["users"]
    return {"user": user["user"], "pass": user["password"]}


class Keeper(KnownNats):
    """A node, as it asks its own server."""

    patience = 10.0

    def __init__(self, node):
        super().__init__(node.port)
        self.user = keeper_of(node)


def leads(nodes):
    """Return how many streams each node leads, of all of them."""
    keeper = Keeper(nodes.nodes[0])
    with suppress(OSError, ValueError):  # one of them has no leader just now
        names = keeper.api("STREAM.NAMES")["streams"]
        infos = [keeper.api(f"STREAM.INFO.{name}") for name in names]
        return Counter(info.get("cluster", {}).get("leader") for info in infos)
    return Counter()


def are_even(counts):
    """Tell whether no node leads two more than another one."""
    return len(counts) == 3 and max(counts.values()) - min(counts.values()) < 2


def test_nodes_lead_evenly_by_themselves(whole):
    """One that leads everything, as those that are left of three, hands over to those that came."""
    url = whole.url(SPREAD, f"?timeout={LONG}").replace("nats:", "backup:")
    store = BackupStore.from_url(url)
    run(store.ping())
    one = whole.nodes[0]
    words = json.dumps({"placement": {"preferred": one.name}}).encode()
    for number in range(6):
        Keeper(one).ask(f"$JS.API.STREAM.LEADER.STEPDOWN.SESSILE_{SPREAD}_{number}", words)
    wait_for(lambda: leads(whole)[one.name] >= 4, lambda: str(leads(whole)), LONG)
    wait_for(lambda: are_even(leads(whole)), lambda: str(leads(whole)), 3 * LONG)
    run(store.close())

    assert "leads SESSILE_" in "".join(node.said for node in whole.nodes)


def test_keeper_of_leaders_may_do_nothing_else(whole):
    """Nobody but the node has its password, and it opens no session."""
    told = Keeper(whole.nodes[0])
    told.patience = 1.0
    with pytest.raises((OSError, ValueError)):
        told.ask(f"$JS.API.STREAM.MSG.GET.SESSILE_{BUCKET}", b'{"seq": 1}')


def greeting(port, context, line=b""):
    """Return what a node says, after the handshake, to whoever comes as another node.

    With a line it is what the node answers to that, too.
    """
    with (
        socket.create_connection(("127.0.0.1", port), LONG) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
    ):
        answer = secure.recv(4096)
        if line:
            secure.sendall(line)
            while not answer.endswith((b"PONG\r\n", b"Violation'\r\n")) and (
                more := secure.recv(4096)
            ):
                answer += more
        return answer


def test_certificate_of_the_authority_is_a_nodes(whole):
    """Whoever has one is greeted as another node."""
    own = whole.nodes[0].folder
    context = ssl.create_default_context(cafile=own / "authority.pem")
    context.load_cert_chain(own / "a.pem", own / "a.key")

    assert greeting(whole.peers[0].port, context).startswith(b"INFO ")


@pytest.mark.parametrize("kind", ["none", "of another authority"])
def test_stranger_is_no_node(whole, tmp_path, kind):
    """Without a certificate of the authority the handshake ends."""
    context = ssl.create_default_context(cafile=whole.nodes[0].folder / "authority.pem")
    if kind != "none":
        cert = Authority(tmp_path).issue("127.0.0.1")
        context.load_cert_chain(cert.file, cert.key)

    with pytest.raises(ssl.SSLError, match=r"alert.*certificate|unknown ca"):
        greeting(whole.peers[0].port, context)


def test_node_that_others_know_by_another_address_is_refused(whole, tmp_path):
    """It would stay alone, and only the others' logs would say why."""
    moved = whole.moved(tmp_path, "a", "127.0.0.9")

    try:
        assert moved.begin().end() == 2
    finally:
        moved.kill()
    assert "is not for 127.0.0.9, by which the others reach this node" in moved.said


def test_nodes_that_know_each_other_by_name_find_each_other(tmp_path):
    """As in Kubernetes, where addresses come and go."""
    with Nodes(tmp_path, "localhost") as nodes:
        store = NatsStore.from_url(nodes.url(BUCKET, f"?timeout={LONG}"))
        wait_for(lambda: answers(store), lambda: "three nodes do not hold the stream", LONG)
        run(store.close())


@pytest.mark.parametrize(("name", "is_known"), [("b.example", True), ("d.example", False)])
def test_name_that_is_no_peers_is_no_node(tmp_path, name, is_known):
    """Where all peers are names, a certificate of the authority alone does not let in."""
    authority = CertificateAuthority(tmp_path, time.time())
    peers = (
        NodePeer("a", "localhost", free_port()),
        NodePeer("b", "b.example"),
        NodePeer("c", "c.example"),
    )
    other = authority.issue(NodePeer("other", name))
    context = ssl.create_default_context(cafile=other.ca)
    context.load_cert_chain(other.cert, other.key)
    with NodeProcess(tmp_path, "a", peers, certificate=authority.issue(peers[0])):
        answer = greeting(peers[0].port, context, b'CONNECT {"verbose":false}\r\nPING\r\n')

    assert (b"Authorization Violation" in answer) is not is_known
