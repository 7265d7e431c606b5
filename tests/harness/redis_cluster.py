"""A Redis Cluster: three primaries, each with a replica; started here, on loopback.

Who is primary changes while tests run, also of itself where the machine is busy. So nobody keeps a
role: it is asked for, as by ``primary_of``.
"""

import atexit
import functools
import shutil
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import redis
import redis.crc

from harness.programs import free_port
from harness.redis_server import RedisServer, find_redis
from harness.sentinels import eventually

SLOTS = 16_384
NODE_TIMEOUT = 2000
"""Milliseconds after which a node that is silent is taken for dead, and its replica votes."""

FAILOVER_PATIENCE = 3.0
"""Seconds after which one by hand is asked for again; with votes it takes a tenth of one."""


class ClusterNode(RedisServer):
    """One node. Its bus has a free port too: that of the usual distance may be somebody's."""

    def __init__(self, folder, *, options=(), **more):
        self.bus = None
        self._more = options
        Path(folder).mkdir(exist_ok=True)
        super().__init__(folder, **more)
        self.id = self.ask("CLUSTER", "MYID")

    def nodes(self):
        """Return what it thinks of each node: id, flags, id of the primary, epoch, slots."""
        rows = (line.split() for line in self.text("CLUSTER", "NODES").splitlines())
        return {row[0]: (row[2].split(","), row[3], row[6], row[8:]) for row in rows}

    def text(self, *words):
        """Return a reply that redis-py would take apart."""
        with self._client(0) as client:
            client.response_callbacks.clear()
            return client.execute_command(*words).decode()

    def ask(self, *words, db=0):
        """Return the reply to a command."""
        reply = super().ask(*words, db=db)
        return reply.decode() if words[:2] == ("CLUSTER", "MYID") else reply

    @property
    def place(self):
        """Where it is."""
        return "127.0.0.1", self.port

    def _began(self):
        if not (self.folder / "nodes.conf").exists():
            self.bus = free_port()
        self._options = (
            *("--cluster-enabled", "yes", "--cluster-port", str(self.bus)),
            *(
                "--cluster-node-timeout",
                str(NODE_TIMEOUT),
                "--cluster-replica-validity-factor",
                "0",
            ),
            *("--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"),
            *(("--masterauth", self.password) if self.password else ()),
            *(("--tls-cluster", "yes", "--tls-replication", "yes") if self.authority else ()),
            *self._more,
        )
        if super()._began():
            return True
        (self.folder / "nodes.conf").unlink(missing_ok=True)  # of an attempt at ports in use
        return False


class RedisCluster:
    """A cluster whose slots are shared evenly among its primaries.

    Args:
        folder: an empty directory.
        primaries: how many.
        replicas: of each of them.
        scheme: of its URL.
        proxies: by whose ports the nodes are known to everybody, one for each; its ``target`` is
            set to the node's own.
        more: of each node, as of ``RedisServer``.

    Attributes:
        nodes: all, in no order that means anything.
    """

    def __init__(
        self, folder, *, primaries=3, replicas=1, scheme="redis+cluster", proxies=(), **more
    ):
        self.scheme, self.proxies = scheme, proxies
        with ExitStack() as stack:
            self.nodes = []
            for number in range(primaries * (1 + replicas)):
                home, given = Path(folder) / f"node-{number}", dict(more)
                if proxies:
                    port = str(proxies[number].port)
                    given["options"] = ("--cluster-announce-port", port, *more.get("options", ()))
                self.nodes.append(stack.enter_context(ClusterNode(home, **given)))
                if proxies:
                    proxies[number].target = self.nodes[-1].port
            self._shape(primaries)
            self._stack = stack.pop_all()

    def _shape(self, count):
        """Make the nodes know each other, hand out the slots, then the replicas."""
        for number, node in enumerate(self.nodes, start=1):
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number)
            for other in self.nodes[: number - 1]:  # two by two: gossip would take seconds
                node.ask("CLUSTER", "MEET", *other.place, other.bus)
        primaries, rest = self.nodes[:count], self.nodes[count:]
        edges = [SLOTS * number // count for number in range(count + 1)]
        for node, first, end in zip(primaries, edges, edges[1:], strict=False):
            node.ask("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        everybody = {node.id for node in self.nodes}
        eventually(
            lambda: all(node.nodes().keys() == everybody for node in self.nodes),
            "the nodes know each other",
        )
        for number, node in enumerate(rest):
            node.ask("CLUSTER", "REPLICATE", primaries[number % count].id)
        eventually(self.is_well, "the cluster is well")

    @property
    def url(self):
        """What a store is opened with, password included."""
        places = ",".join(f"127.0.0.1:{known.port}" for known in self.proxies or self.nodes)
        password = self.nodes[0].password
        return f"{self.scheme}://{f':{password}@' if password else ''}{places}"

    def is_well(self):
        """Tell whether every node lives, agrees with the others, and every replica follows."""
        if not all(node.lives() for node in self.nodes):
            return False
        views = [node.nodes() for node in self.nodes]
        return (
            all(_roles(view) == _roles(views[0]) for view in views)
            and not any(
                "fail" in flag for view in views for flags, *_ in view.values() for flag in flags
            )
            and all(b"cluster_state:ok" in _info(node) for node in self.nodes)
            and all(_follows(node) for node in self.nodes)
        )

    def primary_of(self, slot):
        """Return the node that has a slot, as those see it that live."""
        views = (node.nodes() for node in self.nodes if node.lives())
        owners = {
            (int(epoch), one)
            for view in views
            for one, (_, _, epoch, ranges) in view.items()
            if any(slot in _range(each) for each in ranges)
        }
        return self._node(max(owners)[1])

    def primaries(self):
        """Return the nodes that have slots."""
        view = next(node for node in self.nodes if node.lives()).nodes()
        return [self._node(one) for one, (*_, ranges) in view.items() if ranges]

    def replica_of(self, primary):
        """Return a node that follows another."""
        view = next(node for node in self.nodes if node.lives()).nodes()
        return next(self._node(one) for one, row in view.items() if row[1] == primary.id)

    def fail_over(self, primary):
        """Make the replica of a primary the primary, both being well; return it.

        It is asked for again where it came to nothing: who has just voted does not vote.
        """
        heir, again = self.replica_of(primary), 0.0

        def is_done():
            nonlocal again
            if "slave" in primary.nodes()[primary.id][0]:
                return self.is_well()
            if time.monotonic() > again:
                again = time.monotonic() + FAILOVER_PATIENCE
                with suppress(redis.ResponseError):  # it is the primary by now
                    heir.ask("CLUSTER", "FAILOVER")
            return False

        eventually(is_done, "the replica is the primary")
        return heir

    def heal(self):
        """Start what was stopped, let the frozen go on, and return when all is well."""
        for node in self.nodes:
            if node._process is None:
                node.start()
            else:
                node.thaw()
        eventually(self.is_well, "the cluster is well")

    def migrate(self, slot, target=None):
        """Return the migration of a slot to another primary, not yet begun."""
        source = self.primary_of(slot)
        if target is None:
            target = next(node for node in self.primaries() if node is not source)
        return Migration(self, slot, source, target)

    def calls(self):
        """Return how often each command was called, at all nodes together; ours left out."""
        ours = (
            "cluster|myid",
            "cluster|nodes",
            "cluster|info",
            "replconf",
            "psync",
            "ping",
            "auth",
        )
        calls = Counter()
        for node in self.nodes:
            calls.update(node.calls())
        return Counter({name: count for name, count in calls.items() if name not in ours})

    def refusals(self):
        """Return how often the nodes answered each code: MOVED, ASK, TRYAGAIN, CLUSTERDOWN."""
        found = Counter()
        for node in self.nodes:
            stats = node.ask("INFO", "errorstats")
            found.update({name[len("errorstat_") :]: row["count"] for name, row in stats.items()})
        return found

    def flush(self):
        """Remove every key."""
        for node in self.primaries():
            node.ask("FLUSHALL")

    def stop(self):
        """Kill every node."""
        self._stack.close()

    def _node(self, one):
        return next(node for node in self.nodes if node.id == one)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()


class Migration:
    """The move of one slot, step by step, as ``redis-cli --cluster reshard`` does it.

    Args:
        cluster: whose slot it is.
        slot: the slot.
        source: the primary that has it.
        target: the one that will have it.
    """

    def __init__(self, cluster, slot, source, target):
        self.cluster, self.slot, self.source, self.target = cluster, slot, source, target

    def begin(self):
        """Have the source redirect, with ASK, whoever asks for a key that it has not."""
        self.target.ask("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.source.id)
        self.source.ask("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.target.id)
        return self

    def move(self, *keys):
        """Move some keys; all that are left if none is named."""
        source, place = self.source, self.target.place
        auth = ("AUTH", source.password) if source.password else ()
        keys = keys or source.ask("CLUSTER", "GETKEYSINSLOT", self.slot, 10_000)
        if keys:
            source.ask("MIGRATE", *place, "", 0, 10_000, *auth, "KEYS", *keys)

    def end(self):
        """Give the slot to the target."""
        for node in (self.target, self.source):
            node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", self.target.id)
        eventually(self.cluster.is_well, "every node knows where the slot is")

    def run(self):
        """Do all of it."""
        self.begin()
        self.move()
        self.end()

    def __enter__(self):
        return self.begin()

    def __exit__(self, *exc):
        self.move()
        self.end()


def key_in(slot):
    """Return the tag ``{...}`` of a slot: a key that has it is there."""
    number = next(n for n in range(10 * SLOTS) if redis.crc.key_slot(b"%d" % n) == slot)
    return f"{{{number}}}"


def _range(text):
    """Return the slots of ``5-9`` or ``5``; none of a slot that is on its way."""
    if text.startswith("["):
        return ()
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _roles(view):
    """Return whom each node follows, and which slots it has."""
    return {
        one: (row[1], *(text for text in row[3] if text[0] != "[")) for one, row in view.items()
    }


def _info(node):
    return node.text("CLUSTER", "INFO").encode()


def _follows(node):
    said = node.ask("INFO", "replication")
    if said["role"] == "master":
        return True
    return said["master_link_status"] == "up"


@functools.cache
def shared_cluster(find=find_redis):
    """Return the cluster that all tests of this process share; who breaks it calls ``heal``."""
    folder = tempfile.mkdtemp(prefix="sessile")
    cluster = RedisCluster(folder, program=find())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(cluster.stop)
    return cluster


@pytest.fixture
def redis_cluster():
    """The shared cluster, well and empty; after the test it is well again."""
    cluster = shared_cluster()
    cluster.flush()
    yield cluster
    cluster.heal()
