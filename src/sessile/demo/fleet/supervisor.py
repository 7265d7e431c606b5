"""All server processes and the balancer before them: carries out the page's commands.

The commands arrive over each process's channel, in the parent's one event loop, so two of
them never meet: the last server cannot be killed by two clicks at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

from sessile.balance import Affinity, BackendServer, Balancer, HealthCheck, Report, State
from sessile.demo.fleet.config import ServerConfig
from sessile.demo.fleet.message import (
    Drain,
    FleetCommand,
    FleetView,
    Heal,
    Kill,
    Member,
    NoteNear,
    Part,
    Ready,
    Restart,
    ServerPhase,
    SetAffinity,
    Undrain,
)
from sessile.demo.fleet.port import LOOPBACK, bind, local_address
from sessile.demo.fleet.process import ServerProcess, UnexpectedExit
from sessile.demo.near_figures import NearFigures
from sessile.errors import ConfigError

if TYPE_CHECKING:
    from sessile.demo.nodes.hosts import DemoHosts  # whose driver is an extra

_MOST: Final = 16
_PHASES: Final = {
    State.UP: ServerPhase.UP,
    State.DRAIN: ServerPhase.DRAINING,
    State.DOWN: ServerPhase.UNREADY,
}
_CHECK: Final = HealthCheck(path="/health", interval=0.5, timeout=2.0)
_PATIENCE: Final = 5.0
"""Seconds until a server that was asked to end is killed."""
_ANSWER: Final = 0.4
"""Seconds for the answer to a click; shorter than two health checks take."""


class Supervisor:
    """Servers A, B, C, …: their processes, their ports, and the balancer.

    Args:
        count: how many.
        at: host and port of the balancer.
        folder: what the servers share is in it, and their logs.
        environ: returns the environment of a server by its name.
        on_failure: called with the error of a server that ended unasked.
        route_key: the secret of the servers' routes; None where they have none.
        hosts: the nodes that live and die with the first servers.

    Raises:
        ConfigError: no such number of servers.
    """

    def __init__(
        self,
        count: int,
        *,
        at: tuple[str, int],
        folder: Path,
        environ: Callable[[str], Mapping[str, str]],
        on_failure: Callable[[UnexpectedExit], object],
        route_key: bytes | None = None,
        hosts: "DemoHosts | None" = None,
    ) -> None:
        if not 1 <= count <= _MOST:
            raise ConfigError(f"servers={count}: write a number from 1 to {_MOST}")
        names = ascii_uppercase[:count]
        # Kept open for good: a restarted server gets its old port, and nobody else does meanwhile.
        self._keepers = {name: bind() for name in names}
        ports = {name: keeper.getsockname()[1] for name, keeper in self._keepers.items()}
        servers = [BackendServer(name, LOOPBACK, port) for name, port in ports.items()]
        host, port = at
        self.balancer = Balancer(servers, host=host, port=port, key=route_key, check=_CHECK)
        self._has_routes = route_key is not None
        self._processes = {
            name: ServerProcess(
                ServerConfig(name, ports[name], str(folder), has_nodes=hosts is not None),
                environ(name),
                folder / f"{name}.log",
                self.handle,
            )
            for name in names
        }
        self._on_failure = on_failure
        self._hosts = hosts
        self._stopping = False
        self._near: dict[str, NearFigures] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._kills: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> bool:
        """Start every server; False when one failed."""
        for process in self._processes.values():
            self._start_process(process)
        return all(await asyncio.gather(*map(self._wait_until_ready, self._processes.values())))

    async def wait(self) -> None:
        """Return when no server is left."""
        while running := [run for run in self._runs.values() if not run.done()]:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """End every server: by asking, and where that does not help by killing."""
        self._stopping = True
        for process in self._processes.values():
            process.request_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.wait()
        for process in self._processes.values():
            process.kill()
        await self.wait()
        for keeper in self._keepers.values():
            keeper.close()

    def handle(self, sender: str, command: FleetCommand) -> FleetView:
        """Carry out a command, if it can be, and return the view of the fleet after it.

        Args:
            sender: the server that passes it on.
            command: what somebody clicked.
        """
        error = ""
        match command:
            case Ready():
                self._processes[sender].ready.set()
            case NoteNear(near) if self._processes[sender].wanted:  # it may be dying
                self._near[sender] = near
            case Kill(name):
                error = self._kill(name, sender)
            case Restart(name):
                error = self._restart(name)
            case Drain(name):
                error = self._drain(name)
            case Undrain(name):
                error = self._undrain(name)
            case SetAffinity(affinity):
                is_route = affinity is Affinity.COOKIE and self._has_routes
                self.balancer.affinity = Affinity.ROUTE if is_route else affinity
            case Part(name):
                error = self._part(name)
            case Heal():
                error = self._heal()
        nodes = None if self._hosts is None else self._hosts.status()
        affinity = self.balancer.affinity
        return FleetView(
            self._members(),
            Affinity.COOKIE if affinity is Affinity.ROUTE else affinity,
            self._address(),
            self._has_routes,
            error,
            nodes,
        )

    def _address(self) -> tuple[str, int] | None:
        try:
            host, port = self.balancer.address
        except RuntimeError:  # the servers are up before the balancer is
            return None
        return local_address(host), port

    def _kill(self, name: str, sender: str) -> str:
        process = self._processes.get(name)
        if process is None or process.pid is None or not process.wanted:
            return f"There is no process of server {name} to kill."
        if not self._has_other(name):
            return f"Server {name} is the last one. Start another one first."
        self.balancer.mark_down(name)  # it dies within milliseconds, but accepts until it is dead
        process.expect_exit()
        self._near.pop(name, None)
        if self._hosts is not None:
            self._hosts.expect_exit(name)
        if name != sender:
            process.kill()
        self._kills[name] = asyncio.create_task(self._kill_after_answer(process, sender))
        return ""

    def _restart(self, name: str) -> str:
        process = self._processes.get(name)
        if process is None or process.wanted:
            return f"Server {name} does not need a start."
        if name in self._kills and self._kills[name].cancel():  # so quickly
            self._kill_now(process)
        self._start_process(process)
        if self._hosts is not None:
            self._hosts.start_node(name)
        return ""

    def _has_other(self, name: str) -> bool:
        return any(m.phase is ServerPhase.UP for m in self._members() if m.name != name)

    def _drain(self, name: str) -> str:
        member = next((m for m in self._members() if m.name == name), None)
        if not self._has_routes or member is None or member.phase is not ServerPhase.UP:
            return f"Server {name} cannot be drained."
        if not self._has_other(name):
            return f"Server {name} is the last one. Start another one first."
        self.balancer.drain(name)
        return ""

    def _undrain(self, name: str) -> str:
        if name not in self._processes:
            return f"There is no server {name}."
        self.balancer.undrain(name)
        return ""

    def _part(self, name: str) -> str:
        if self._hosts is None or not self._hosts.has(name):
            return f"There is no node of server {name} to cut off."
        self._hosts.part(name)
        return ""

    def _heal(self) -> str:
        if self._hosts is None:
            return "There is no network to heal."
        self._hosts.heal()
        return ""

    def _start_process(self, process: ServerProcess) -> None:
        process.wanted = True
        before = self._runs.get(process.name)
        self._runs[process.name] = asyncio.create_task(self._run(process, before))

    async def _run(self, process: ServerProcess, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        if self._stopping:
            return
        process.wanted = True
        try:
            await process.run()
        except UnexpectedExit as failed:
            self._on_failure(failed)

    async def _wait_until_ready(self, process: ServerProcess) -> bool:
        ready = asyncio.create_task(process.ready.wait())
        run = self._runs[process.name]
        await asyncio.wait({ready, run}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        return process.ready.is_set()

    async def _kill_after_answer(self, process: ServerProcess, sender: str) -> None:
        """Kill a server and its node once the answer is out of whoever passed it on.

        That may be the very server; and what it answers is stored, maybe by that node.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER):
                while self._active(sender):  # noqa: ASYNC110  (the balancer only counts)
                    await asyncio.sleep(0.005)
        self._kill_now(process)

    def _kill_now(self, process: ServerProcess) -> None:
        process.kill()
        if self._hosts is not None:
            self._hosts.kill_node(process.name)

    def _active(self, name: str) -> int:
        return next(r.active for r in self.balancer.report() if r.server.name == name)

    def _members(self) -> tuple[Member, ...]:
        return tuple(
            _member(self._processes[name], report, self._near.get(name))
            for report in self.balancer.report()
            for name in [report.server.name]
        )


def _member(process: ServerProcess, report: Report, near: NearFigures | None) -> Member:
    """Combine the process, the balancer's checks of a server, and what it tells of itself."""
    if not process.wanted:
        return Member(process.name, ServerPhase.DOWN, None, report.requests)
    phase = _PHASES[report.state] if process.ready.is_set() else ServerPhase.UNREADY
    return Member(process.name, phase, process.pid, report.requests, report.active, near)
