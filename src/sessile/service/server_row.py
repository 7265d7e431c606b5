"""The row of a server: whether it is to drain, and what each of its workers last told of itself.

All servers of a site share a store, so each may read of the others. ``service.worker`` has a
worker tell, and ``cli`` asks. Names of servers are those of ``Sessions(server=...)``.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from sessile.core.record import RecordKind
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, LostRace
from sessile.service.context import Context
from sessile.service.subject_row import SubjectRow, find_row, write_row

BEAT: Final[Seconds] = 5.0
"""Seconds after which a worker tells of itself though nothing has changed."""

ALIVE: Final[Seconds] = 3 * BEAT
"""How much earlier than another one of its server a worker may have told last, and count."""

KEPT: Final[Seconds] = 7 * 86_400.0
"""How long a server is remembered that tells nothing, and whether it is to drain."""

_AGAIN: Final[Seconds] = 600.0
"""How old a server's line among the names may become before it is written anew."""

LATELY: Final[Seconds] = 2 * _AGAIN
"""How lately a server that runs was entered among the names."""

_FOREIGN: Final[Seconds] = 60.0
"""How old a server's row under other secrets is before it is nobody's, and is written anew."""

_ATTEMPTS: Final = 16
_NAMES: Final = ""  # the subject of the row with the names, which no server has for its own


class WorkerStatus(msgspec.Struct, frozen=True):
    """What a worker, a process of a server, told of itself.

    Attributes:
        told: when.
        requests: how many were under way, streams included.
        sockets: how many WebSockets were open.
        sessions: how many different ones it had seen in about a minute.
        is_drained: whether it sent its clients away.
        is_new: whether it has not counted sessions for that minute yet.
    """

    told: Instant
    requests: int = 0
    sockets: int = 0
    sessions: int = 0
    is_drained: bool = False
    is_new: bool = False


class _Value(msgspec.Struct, frozen=True):
    drained_since: Instant | None = None
    workers: dict[str, WorkerStatus] = {}


class ServerRow(msgspec.Struct, frozen=True):
    """A server as its row has it.

    Attributes:
        name: its name.
        row: where that stands.
        drained_since: since when it is to send its clients away; None where it takes them.
        workers: what each of its workers last told, by its id; those that died a while ago too.
    """

    name: str
    row: SubjectRow
    drained_since: Instant | None = None
    workers: dict[str, WorkerStatus] = {}

    @property
    def is_there(self) -> bool:
        """Whether anything is stored of it."""
        return self.row.record is not None

    def live_workers(self, now: Instant, skew: Seconds) -> dict[str, WorkerStatus]:
        """Return those that tell of themselves, by their ids.

        They are judged by each other, for they have a clock in common: none of them is taken for
        dead because ours differs from it. One from the future is, or it would be the measure of
        the others until then.

        Args:
            now: the time.
            skew: by how much two clocks may differ.
        """
        told = {name: one for name, one in self.workers.items() if one.told <= now + skew}
        newest = max((one.told for one in told.values()), default=now)
        if newest < now - ALIVE - skew:
            return {}
        return {name: one for name, one in told.items() if one.told > newest - ALIVE}


class ServerStatus(msgspec.Struct, frozen=True):
    """A server for whoever compares it with others: all its live workers together.

    Attributes:
        name: its name.
        is_drained: whether it is to send its clients away.
        workers: how many live; a server without any is down.
        requests: how many are under way, streams included.
        sockets: how many WebSockets are open.
        sessions: how many different ones were seen in about a minute, by worker.
        undrained: how many workers do not send their clients away.
        counted: how many have counted sessions for that minute.
        sessions_counted: how many sessions those counted.
    """

    name: str
    is_drained: bool
    workers: int
    requests: int
    sockets: int
    sessions: int
    undrained: int
    counted: int
    sessions_counted: int


async def load_of_servers(
    context: Context, now: Instant, *, within: Seconds = KEPT
) -> list[ServerStatus]:
    """Return every server that told of itself lately, by its name.

    Args:
        context: the collaborators.
        now: the time.
        within: how lately it was entered among the names; each costs a read.

    Raises:
        ConfigError: the names were written under other secrets.
    """
    names = await names_of_servers(context, now, within=within)
    found = [await read_server(context, name, now) for name in names]
    return [status_of(context, server, now) for server in found if server.is_there]


def status_of(context: Context, server: ServerRow, now: Instant) -> ServerStatus:
    """Return a server together with its live workers."""
    live = server.live_workers(now, context.policy.clock_skew).values()
    return ServerStatus(
        server.name,
        is_drained=server.drained_since is not None,
        workers=len(live),
        requests=sum(worker.requests for worker in live),
        sockets=sum(worker.sockets for worker in live),
        sessions=sum(worker.sessions for worker in live),
        undrained=sum(not worker.is_drained for worker in live),
        counted=sum(not worker.is_new for worker in live),
        sessions_counted=sum(worker.sessions for worker in live if not worker.is_new),
    )


async def names_of_servers(context: Context, now: Instant, *, within: Seconds = KEPT) -> list[str]:
    """Return the names of the servers that were entered lately, in their order.

    Raises:
        ConfigError: they were written under other secrets.
    """
    row = await find_row(context, RecordKind.SERVER, _NAMES, now)
    if row.is_forged:
        raise _foreign(context, _NAMES)
    return sorted(_names(row, now, within))


async def read_server(context: Context, name: str, now: Instant) -> ServerRow:
    """Return a server; one that nobody told of takes clients, and has no workers."""
    return _server(name, await find_row(context, RecordKind.SERVER, name, now))


async def change_server(
    context: Context, name: str, change: Callable[[ServerRow], ServerRow], now: Instant
) -> ServerRow:
    """Change the row of a server, which is made where there is none, and return it as stored.

    Args:
        context: the collaborators.
        name: whose.
        change: returns it as it is to be; called again where somebody else wrote meanwhile.
        now: the time.

    Raises:
        ConfigError: it was written lately, and under other secrets.
        LostRace: others wrote all the while.
    """
    for _ in range(_ATTEMPTS):
        server = change(_server(name, await _own_row(context, name, now, _FOREIGN)))
        value = _encode(_Value(server.drained_since, server.workers))
        if await write_row(context, server.row, value, now, now + KEPT):
            return server
    raise LostRace(server.row.key, attempts=_ATTEMPTS)


async def drain_server(
    context: Context, name: str, now: Instant, *, is_drained: bool = True
) -> ServerRow:
    """Say in its row that a server is to send its clients away, or to take them again.

    Raises:
        ConfigError: the row was written under other secrets, so that the server would not obey.
        LostRace: others wrote all the while.
    """
    if (await find_row(context, RecordKind.SERVER, name, now)).is_forged:
        raise _foreign(context, name)

    def drain(server: ServerRow) -> ServerRow:
        since = (server.drained_since or now) if is_drained else None
        return msgspec.structs.replace(server, drained_since=since)

    return await change_server(context, name, drain, now)


async def enter_server(context: Context, name: str, now: Instant) -> None:
    """Enter a server among the names, unless it is there; who told nothing for long goes away.

    A rival that writes first costs a line, which is entered at the next time.

    Raises:
        ConfigError: the names were written lately, and under other secrets.
    """
    row = await _own_row(context, _NAMES, now, LATELY)
    names = _names(row, now)
    if now - names.get(name, now - _AGAIN) >= _AGAIN:
        await write_row(context, row, _encode(names | {name: now}), now, now + KEPT)


async def _own_row(context: Context, name: str, now: Instant, lately: Seconds) -> SubjectRow:
    """Return a row to be written.

    One under other secrets may be another application's, which lives; it is removed if nobody
    wrote it lately. What is no record at all does not say when, as of another version.
    """
    row = await find_row(context, RecordKind.SERVER, name, now)
    if row.is_forged:
        if row.forged is None or abs(now - row.forged) <= lately + context.policy.clock_skew:
            raise _foreign(context, name)
        await context.store.delete(row.key)
    return row


def _foreign(context: Context, name: str) -> ConfigError:
    what = f"of the server {name}" if name != _NAMES else "of the names of servers"
    return ConfigError(
        f"what {context.store.name} has {what} was stored under other secrets, and servers would "
        "not believe these: give SESSILE_SECRETS as the servers have it, or name the application "
        "with --app; and where another application shares the store, give each a prefix of its own"
    )


def with_worker(server: ServerRow, worker: str, status: WorkerStatus | None) -> ServerRow:
    """Return a server with what a worker tells, or without it; the dead ones are forgotten."""
    told = {worker: status} if status is not None else {}
    now = status.told if status is not None else 0.0
    others = {
        name: other
        for name, other in server.workers.items()
        if name != worker and other.told > now - 4 * ALIVE
    }
    return msgspec.structs.replace(server, workers=others | told)


def _server(name: str, row: SubjectRow) -> ServerRow:
    try:
        value = _decode(row.value) if row.value else _Value()
    except msgspec.DecodeError:  # as of a later version
        value = _Value()
    return ServerRow(name, row, value.drained_since, value.workers)


def _names(row: SubjectRow, now: Instant, within: Seconds = KEPT) -> dict[str, Instant]:
    try:
        names = _decode_names(row.value) if row.value else {}
    except msgspec.DecodeError:
        return {}
    return {name: told for name, told in names.items() if told > now - within}


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Value).decode
_decode_names: Final = msgspec.msgpack.Decoder(dict[str, Instant]).decode
