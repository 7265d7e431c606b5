"""All server processes and the balancer before them: carries out the page's orders.

The orders arrive over each process's line, in the parent's one event loop, so two of them never
meet: the last server cannot be killed by two clicks at once.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from string import ascii_uppercase
from typing import Final

from sessile.balance import BackendServer, Balancer, HealthCheck, Report, State
from sessile.demo.fleet.message import Kill, Member, Order, Phase, Ready, Restart, Tie, View
from sessile.demo.fleet.port import LOOPBACK, bound, reachable
from sessile.demo.fleet.process import Failed, ServerProcess
from sessile.demo.fleet.task import Task
from sessile.errors import ConfigError

_MOST: Final = 16
_CHECK: Final = HealthCheck(path="/health", interval=0.5, timeout=2.0)
_PATIENCE: Final = 5.0
"""Seconds until a server that was asked to end is killed."""
_ANSWER: Final = 0.4
"""Seconds for the answer to a click; shorter than two health checks take."""


class Fleet:
    """Servers A, B, C, …: their processes, their ports, and the balancer.

    Args:
        count: how many.
        at: host and port of the balancer.
        folder: holds the user table; the servers' logs go there.
        environ: the servers' environment.
        failed: told of a server that ended unasked.

    Raises:
        ConfigError: no such number of servers.
    """

    def __init__(
        self,
        count: int,
        *,
        at: tuple[str, int],
        folder: Path,
        environ: Mapping[str, str],
        failed: Callable[[Failed], object],
    ) -> None:
        if not 1 <= count <= _MOST:
            raise ConfigError(f"servers={count}: write a number from 1 to {_MOST}")
        names = ascii_uppercase[:count]
        self._keepers = {name: bound() for name in names}
        ports = {name: keeper.getsockname()[1] for name, keeper in self._keepers.items()}
        servers = [BackendServer(name, LOOPBACK, port) for name, port in ports.items()]
        host, port = at
        self.balancer = Balancer(servers, host=host, port=port, check=_CHECK)
        self._processes = {
            name: ServerProcess(
                Task(name, ports[name], str(folder / "users.db")),
                environ,
                folder / f"{name}.log",
                self.hear,
            )
            for name in names
        }
        self._failed = failed
        self._stopping = False
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._ends: set[asyncio.Task[None]] = set()

    async def start(self) -> bool:
        """Start every server; False when one failed."""
        for process in self._processes.values():
            self._begin(process)
        return all(await asyncio.gather(*map(self._came_up, self._processes.values())))

    async def over(self) -> None:
        """Return when no server is left."""
        while running := [life for life in self._lives.values() if not life.done()]:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """End every server: by asking, and where that does not help by killing."""
        self._stopping = True
        for process in self._processes.values():
            process.hang_up()
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self.over()
        for process in self._processes.values():
            process.kill()
        await self.over()
        for keeper in self._keepers.values():
            keeper.close()

    def hear(self, asker: str, order: Order) -> View:
        """Carry out an order, if it can be, and return how things are then.

        Args:
            asker: the server that passes it on.
            order: what somebody clicked.
        """
        refusal = ""
        match order:
            case Ready():
                self._processes[asker].ready.set()
            case Kill(name):
                refusal = self._kill(name, asker)
            case Restart(name):
                refusal = self._restart(name)
            case Tie(affinity):
                self.balancer.affinity = affinity
        return View(self._members(), self.balancer.affinity, self._door(), refusal)

    def _door(self) -> tuple[str, int] | None:
        try:
            host, port = self.balancer.address
        except RuntimeError:  # the servers are up before the balancer is
            return None
        return reachable(host), port

    def _kill(self, name: str, asker: str) -> str:
        process = self._processes.get(name)
        if process is None or process.pid is None or not process.wanted:
            return f"There is no process of server {name} to kill."
        if not any(m.phase is Phase.UP for m in self._members() if m.name != name):
            return f"Server {name} is the last one. Start another one first."
        self.balancer.mark_down(name)  # it dies within milliseconds, but accepts until it is dead
        if name == asker:
            process.condemn()
            self._ends.add(asyncio.create_task(self._kill_when_answered(process)))
        else:
            process.kill()
        return ""

    def _restart(self, name: str) -> str:
        process = self._processes.get(name)
        if process is None or process.wanted:
            return f"Server {name} does not need a start."
        self._begin(process)
        return ""

    def _begin(self, process: ServerProcess) -> None:
        process.wanted = True
        before = self._lives.get(process.name)
        self._lives[process.name] = asyncio.create_task(self._live(process, before))

    async def _live(self, process: ServerProcess, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        if self._stopping:
            return
        process.wanted = True
        try:
            await process.live()
        except Failed as failed:
            self._failed(failed)

    async def _came_up(self, process: ServerProcess) -> bool:
        ready = asyncio.create_task(process.ready.wait())
        life = self._lives[process.name]
        await asyncio.wait({ready, life}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        return process.ready.is_set()

    async def _kill_when_answered(self, process: ServerProcess) -> None:
        """Kill a server that passed on its own end: its answer goes out before it does."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER):
                while self._active(process.name):  # noqa: ASYNC110  (the balancer only counts)
                    await asyncio.sleep(0.005)
        process.kill()

    def _active(self, name: str) -> int:
        return next(r.active for r in self.balancer.report() if r.server.name == name)

    def _members(self) -> tuple[Member, ...]:
        return tuple(
            _member(self._processes[report.server.name], report)
            for report in self.balancer.report()
        )


def _member(process: ServerProcess, report: Report) -> Member:
    """Put together what the process and the balancer's checks tell of a server."""
    if not process.wanted:
        return Member(process.name, Phase.DOWN, None, report.requests)
    answers = process.ready.is_set() and report.state is State.UP
    phase = Phase.UP if answers else Phase.UNREADY
    return Member(process.name, phase, process.pid, report.requests)
