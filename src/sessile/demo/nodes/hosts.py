"""Three hosts on one machine: a node on each, and every wire between two of them. For ``launcher``.

A host is what one server and its node have in common: they die together, and the network parts both
from the others. Whatever goes from one host to another goes through a ``HostWire``.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import permutations
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sessile.cluster.authority import CertificateAuthority
from sessile.cluster.peers import NodePeer
from sessile.cluster.program import NatsProgram
from sessile.cluster.users import users_of
from sessile.core.secrets import KeyRing
from sessile.core.value import Seconds
from sessile.demo.fleet.port import LOOPBACK, bind, find_ports
from sessile.demo.fleet.process import UnexpectedExit
from sessile.demo.nodes.config import DemoNodeConfig
from sessile.demo.nodes.observer import NodeObserver
from sessile.demo.nodes.process import DemoNode
from sessile.demo.nodes.status import NodePhase, NodesStatus, NodeStatus, StreamStatus
from sessile.demo.nodes.wire import HostWire
from sessile.errors import StoreUnavailable
from sessile.stores.nats_url import place_of
from sessile.wire import system

NAMES: Final = "ABC"
"""Of the hosts: a majority takes three, whatever the number of servers."""

_PAUSE: Final[Seconds] = 0.5
_PATIENCE: Final[Seconds] = 60.0


class DemoHosts:
    """The nodes of the demo. Of one event loop.

    Args:
        url: of a store, without a host.
        folder: for the nodes' files.
        ring: the secrets that servers and nodes share.
        environ: with the same secrets, for the nodes' processes.
        on_failure: called with the error of a node that ended unasked.

    Raises:
        ConfigError: there is no program of a node.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        ring: KeyRing,
        *,
        environ: Mapping[str, str],
        on_failure: Callable[[UnexpectedExit], object],
    ) -> None:
        NatsProgram.find()  # before anything is started
        self._url = urlsplit(url)
        self._user, *_ = users_of(ring)
        free = find_ports(2 * len(NAMES))
        ports = dict(zip(NAMES, free, strict=False))
        routes = dict(zip(NAMES, reversed(free), strict=False))
        self._wires = {
            (one, other): (HostWire(ports[other]), HostWire(routes[other]))
            for one, other in permutations(NAMES, 2)
        }
        self._nobody = bind()  # refuses whoever comes
        authority = CertificateAuthority(folder / "certificates", system.clock())
        for name in NAMES:
            authority.issue(NodePeer(name, LOOPBACK, routes[name]))
        self._nodes = {
            name: DemoNode(
                DemoNodeConfig(
                    name,
                    self._peers_of(name, routes[name]),
                    ports[name],
                    str(folder),
                    f"{LOOPBACK}:{self._nobody.getsockname()[1]}",
                ),
                environ,
                folder / f"node-{name}.log",
                on_failure,
            )
            for name in NAMES
        }
        bucket = place_of(self.url_of(NAMES[0])).bucket
        user = self._user.name, self._user.password
        self._observers = {name: NodeObserver(port, user, bucket) for name, port in ports.items()}
        self._apart = ""
        self._streams: dict[str, StreamStatus] = {}
        self._looks: list[asyncio.Task[None]] = []

    def url_of(self, server: str) -> str:
        """Return the URL of a server's store: its own node first, and then the others.

        A server beyond the third has no node, and none of the wires to cut.
        """
        places = [
            f"{LOOPBACK}:{self._port(server, name)}"
            for name in sorted(NAMES, key=lambda name: name != server)
        ]
        login = f"{self._user.name}:{self._user.password}"
        return self._url._replace(netloc=f"{login}@{','.join(places)}").geturl()

    async def start(self) -> None:
        """Start the nodes; return when they have found each other.

        Raises:
            StoreUnavailable: they do not.
        """
        for wire in self._all_wires():
            await wire.open()
        for node in self._nodes.values():
            node.start()
        self._looks = [asyncio.create_task(self._look(one)) for one in self._observers.values()]
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                while all(node.wanted for node in self._nodes.values()):
                    if all(one.has_leader for one in self._observers.values()):
                        return
                    await asyncio.sleep(_PAUSE / 10)
        raise StoreUnavailable("the nodes of the demo", "they have not found each other")

    def status(self) -> NodesStatus:
        """Return how all are."""
        reached = frozenset(
            name
            for name, node in self._nodes.items()
            if node.wanted and self._observers[name].is_there and name != self._apart
        )
        nodes = tuple(self._status_of(node) for node in self._nodes.values())
        told = {
            stream.name: stream
            for name in sorted(reached)
            for stream in self._observers[name].streams
        }
        self._streams |= told
        streams = [
            stream.among(reached, is_told=name in told)
            for name, stream in sorted(self._streams.items())
        ]
        return NodesStatus(nodes, tuple(streams))

    def has(self, name: str) -> bool:
        """Tell whether there is a host of that name."""
        return name in self._nodes

    def start_node(self, name: str) -> None:
        """Start a node again, if it is a host's and not there."""
        node = self._nodes.get(name)
        if node is not None and not node.wanted:
            node.start()

    def expect_exit(self, name: str) -> None:
        """Expect a node to be killed soon."""
        if name in self._nodes:
            self._nodes[name].expect_exit()

    def kill_node(self, name: str) -> None:
        """Kill a node, if it is a host's."""
        if name in self._nodes:
            self._nodes[name].kill()

    def part(self, name: str) -> None:
        """Cut every wire between one host and the others, and no other wire."""
        self.heal()
        self._apart = name
        for ends, wires in self._wires.items():
            if name in ends:
                for wire in wires:
                    wire.cut()

    def heal(self) -> None:
        """Mend every wire."""
        self._apart = ""
        for wire in self._all_wires():
            wire.mend()

    async def stop(self) -> None:
        """Kill the nodes, whose files nobody needs any more."""
        for look in self._looks:
            look.cancel()
        await asyncio.gather(*self._looks, return_exceptions=True)
        for node in self._nodes.values():
            node.kill()
        for node in self._nodes.values():
            await node.wait()
        for observer in self._observers.values():
            await observer.close()
        for wire in self._all_wires():
            await wire.close()
        self._nobody.close()

    def _port(self, server: str, name: str) -> int:
        """Return the port by which a server reaches a node."""
        wires = self._wires.get((server, name))
        return self._nodes[name].port if wires is None else wires[0].port

    def _peers_of(self, name: str, own: int) -> str:
        ports = {other: self._wires[name, other][1].port for other in NAMES if other != name}
        return ",".join(f"{one}={LOOPBACK}:{ports.get(one, own)}" for one in NAMES)

    def _all_wires(self) -> list[HostWire]:
        return [wire for pair in self._wires.values() for wire in pair]

    def _status_of(self, node: DemoNode) -> NodeStatus:
        observer = self._observers[node.name]
        phase = NodePhase.UP if observer.is_there else NodePhase.STARTING
        return NodeStatus(
            node.name,
            phase if node.wanted else NodePhase.DOWN,
            node.name == self._apart,
            tuple(
                stream.leader for stream in observer.streams if self._nodes[stream.leader].wanted
            ),
        )

    async def _look(self, observer: NodeObserver) -> None:
        while True:
            names = {name for one in self._observers.values() for name in one.names}
            await observer.look(names | set(self._streams))
            await asyncio.sleep(_PAUSE)
