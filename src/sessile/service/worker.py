"""A worker of a server: what it tells of itself in the store, and what it is told there, to drain.

A thread looks each second, from the first request on until the sessions are closed. No request
waits for it. While the store does not answer, all stays as it is. ``service.server_row`` has the
row.
"""

import weakref
from contextlib import suppress
from typing import Final

import msgspec

from sessile.core.flow import run
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, LostRace, StoreClosed, StoreUnavailable
from sessile.service.bounded_load import BOUND, BoundedLoad
from sessile.service.context import Context
from sessile.service.server_row import (
    BEAT,
    LATELY,
    ServerRow,
    WorkerStatus,
    change_server,
    enter_server,
    load_of_servers,
    read_server,
    with_worker,
)
from sessile.service.traffic import Traffic
from sessile.wire import system
from sessile.wire.locked import LockedCalls
from sessile.wire.rounds import LazyRounds, Rounds

LOOK: Final[Seconds] = 1.0
"""Seconds between two looks, and within which a worker obeys."""

_ENTERS: Final[Seconds] = 60.0
"""How often it is seen to that the server is among the names."""

_PARTING: Final[Seconds] = 2.0
"""How long a close waits for the worker to take itself out of the row."""


class ServerWorker:
    """One process of a server with a name.

    Args:
        server: its name.
        context: the collaborators, which keep this one.
        bound: how many times the mean of all servers its own may have; None for any number.

    Attributes:
        server: its name.
        load: which clients it sends to others; None where it keeps all.
        rounds: its looks.
        traffic: what it has to do.
        has_looked: whether the store was asked at all, with or without an answer.
    """

    def __init__(self, server: str, context: Context, bound: float | None = BOUND) -> None:
        self.server = server
        self.traffic = Traffic()
        self.load = None if bound is None else BoundedLoad(bound, self.traffic)
        self._context = weakref.ref(context)  # or its thread would keep it for ever
        self._restart()
        self.rounds = LazyRounds(self._rounds, self._restart)

    def _restart(self) -> None:
        self._guard = LockedCalls(None)
        self._id = system.entropy(6).hex()
        self._wish: bool | None = None  # what the application said, and the row does not say yet
        self._drained_since: Instant | None = None
        self._last: WorkerStatus | None = None
        self._entered: Instant | None = None
        self.has_looked = False
        self.traffic.clear()
        if self.load is not None:
            self.load.clear()

    def _rounds(self) -> Rounds:
        return Rounds("sessile-server", self._go, first=0.0, pause=LOOK, last=self._part)

    def under_way(self, *, is_socket: bool = False) -> set[int]:
        """Return the numbers of the requests that are under way, or of the WebSockets.

        Whoever is about to add one is served, so the worker looks from now on.
        """
        self.rounds.start()
        return self.traffic.sockets if is_socket else self.traffic.requests

    def close(self) -> None:
        """Take the worker out of the row, and look no more."""
        self.rounds.stop(_PARTING)

    async def aclose(self) -> None:
        """Do the same on an event loop."""
        await self.rounds.astop(_PARTING)

    def drain(self, *, is_drained: bool) -> None:
        """Have all workers of the server send their clients away, or take them again."""
        self._guard.call(self._set_wish, is_drained)
        self.rounds.start()

    def _set_wish(self, wish: bool | None) -> None:
        self._wish = wish

    async def look(self, context: Context) -> None:
        """Obey what the row says, and tell there what is new."""
        now = context.clock()
        server = await read_server(context, self.server, now)
        self._guard.call(self._obey, context, server)
        status = self._status(context, now)
        if not self._is_told(server, status):
            wish = self._wish
            server = await change_server(
                context, self.server, lambda found: self._tell(found, status, wish), now
            )
            self._last = status
            self._guard.call(self._settle, wish)
            self._guard.call(self._obey, context, server)
        await self._enter(context, server, now)
        if self.load is not None and self.load.is_due(now):
            servers = await load_of_servers(context, now, within=LATELY)
            self.load.look(self.server, servers, now)

    def _obey(self, context: Context, server: ServerRow) -> None:
        """Do as the row says, unless it is about to say something else, or was removed."""
        if self._wish is None and server.is_there:
            self._drained_since = server.drained_since
            context.is_drained = context.is_leaving or server.drained_since is not None

    def _status(self, context: Context, now: Instant) -> WorkerStatus:
        traffic = self.traffic
        return WorkerStatus(
            now,
            requests=len(traffic.requests),
            sockets=len(traffic.sockets),
            sessions=traffic.count_sessions(now),
            is_drained=context.is_drained,
            is_new=not traffic.has_counted,
        )

    def _is_told(self, server: ServerRow, status: WorkerStatus) -> bool:
        """Tell whether nothing is new; of a drained one each look is, for somebody counts down."""
        last = server.workers.get(self._id)
        return (
            self._wish is None
            and not status.is_drained
            and last is not None
            and 0 <= status.told - last.told < BEAT
            and msgspec.structs.replace(status, told=last.told) == last
        )

    def _tell(self, server: ServerRow, status: WorkerStatus, wish: bool | None) -> ServerRow:
        since = server.drained_since if server.is_there else self._drained_since
        if wish is not None:
            since = (since or status.told) if wish else None
        server = msgspec.structs.replace(server, drained_since=since)
        return with_worker(server, self._id, status)

    def _settle(self, wish: bool | None) -> None:
        if self._wish is wish:
            self._wish = None

    async def _enter(self, context: Context, server: ServerRow, now: Instant) -> None:
        if self._entered is not None and server.is_there and 0 <= now - self._entered < _ENTERS:
            return
        await enter_server(context, self.server, now)
        self._entered = now

    def _go(self) -> None:
        context = self._context()
        if context is None:
            self.rounds.end()
            return
        try:
            run(self.look(context))
        except (StoreUnavailable, LostRace, StoreClosed):  # its requests tell of it, or it is over
            self._last = None
        except ConfigError:  # of two applications that share a store
            context.log.tell_foreign()
        except Exception as error:  # noqa: BLE001  (whatever a store does wrong ends no thread)
            self._last = None
            context.log.tell_untold(error)
        finally:
            self.has_looked = True

    def _part(self) -> None:
        """Take the worker out of the row, if the store answered when it was last asked."""
        context = self._context()
        if context is None or self._last is None:
            return
        with suppress(Exception):  # it counts as dead a moment later
            run(change_server(context, self.server, self._leave, context.clock()))

    def _leave(self, server: ServerRow) -> ServerRow:
        return with_worker(server, self._id, None)
