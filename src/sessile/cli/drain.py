"""``sessile drain`` and ``undrain``: have a server send its clients away, and wait until it has.

``service.server_row`` is where its workers read it, and ``service.worker`` obeys.
"""

from collections.abc import Mapping
from time import sleep
from typing import Annotated, Final

import typer

from sessile.cli.arguments import App, Server, Url
from sessile.cli.operator import connect_with_secrets
from sessile.cli.printable import pluralize
from sessile.core.flow import run
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, StoreUnavailable
from sessile.service.context import Context
from sessile.service.server_row import (
    ALIVE,
    ServerRow,
    WorkerStatus,
    drain_server,
    load_of_servers,
    names_of_servers,
    read_server,
)
from sessile.service.sessions import context_of

Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        min=0,
        help="How long to wait until nothing is under way; 0 waits for nothing.",
    ),
]

_LOOK: Final[Seconds] = 1.0
_IN_A_ROW: Final = 2  # words of each worker by which nothing is under way: between requests, too
_LAST_WORD: Final[Seconds] = 3.0  # how long after the end the second one is waited for


def drain(server: Server, url: Url = None, app: App = None, wait: Wait = 60.0) -> None:
    """Have a server send its clients away, and wait until it has nothing to do.

    All its workers drain within a second, and those that are started under its name, until
    `undrain`. What is under way is counted down. Exits with 1 where something still is at the end.
    """
    with connect_with_secrets(url, app) as sessions:
        context = context_of(sessions)
        _check_name(context, server)
        run(drain_server(context, server, context.clock()))
        _warn_of_last(context, server)
        is_through = True
        if wait:
            is_through = _count_down(context, server, wait)
        else:
            typer.echo(f"{server} drains from now on")
    if not is_through:
        raise typer.Exit(1)


def undrain(server: Server, url: Url = None, app: App = None) -> None:
    """Have a server take clients again, after `drain`."""
    with connect_with_secrets(url, app) as sessions:
        context = context_of(sessions)
        _check_name(context, server)
        run(drain_server(context, server, context.clock(), is_drained=False))
    typer.echo(f"{server} takes clients again")


def _check_name(context: Context, name: str) -> None:
    """Refuse the name of a server that nobody has told of: it is misspelt, most likely.

    Raises:
        ConfigError: it is none.
    """
    names = run(names_of_servers(context, context.clock()))
    if name not in names:
        there = f"there are {', '.join(names)}" if names else "there is none with a name yet"
        raise ConfigError(
            f"no server {name} has told of itself in {context.store.name}: {there}. A server does "
            "so with its first request, by the name of SESSILE_SERVER"
        )


def _warn_of_last(context: Context, name: str) -> None:
    """Tell where none of the others takes clients: a balancer has nobody to send them to then."""
    servers = run(load_of_servers(context, context.clock()))
    others = [one for one in servers if one.name != name]
    if others and not any(one.workers and not one.is_drained for one in others):
        typer.echo(
            f"{name} was the last server that takes clients: a balancer may answer them with 503",
            err=True,
        )


class Countdown:
    """What is under way at a server, look by look.

    A worker that tells nothing new for a while by our own timer was killed, or cannot reach the
    store, and is waited for no longer: whatever its clock is.
    """

    def __init__(self) -> None:
        self._told: dict[str, tuple[Instant, Seconds]] = {}
        self._quiet: list[dict[str, Instant]] = []

    def see(self, workers: Mapping[str, WorkerStatus], time: Seconds) -> dict[str, WorkerStatus]:
        """Return those of the workers that live; ``time`` is by a timer."""
        for name, worker in workers.items():
            told, _ = self._told.get(name, (None, time))
            if worker.told != told:
                self._told[name] = (worker.told, time)
        return {name: one for name, one in workers.items() if time - self._told[name][1] < ALIVE}

    def is_over(self, live: Mapping[str, WorkerStatus], left: str) -> bool:
        """Tell whether nothing was left by two words in a row of each worker that lives."""
        if left:
            self._quiet.clear()
            return False
        before = self._quiet[-1] if self._quiet else {}
        if all(worker.told != before.get(name) for name, worker in live.items()):
            self._quiet.append({name: worker.told for name, worker in live.items()})
        return len(self._quiet) >= _IN_A_ROW


def work_left(live: Mapping[str, WorkerStatus]) -> str:
    """Describe the work that is left; empty where there is none."""
    workers = live.values()
    unaware = sum(not worker.is_drained for worker in workers)
    requests = sum(worker.requests for worker in workers)
    sockets = sum(worker.sockets for worker in workers)
    have = "has" if unaware == 1 else "have"
    found = (
        pluralize(requests, "request") if requests else "",
        pluralize(sockets, "WebSocket") if sockets else "",
        f"{pluralize(unaware, 'worker')} that {have} yet to look" if unaware else "",
    )
    return ", ".join(filter(None, found))


def _count_down(context: Context, name: str, wait: Seconds) -> bool:
    """Print what is under way whenever that changes; tell whether nothing is any more."""
    countdown, end, said = Countdown(), context.timer() + wait, ""
    while True:
        time = context.timer()
        server, why = _look(context, name)
        if server is None:
            countdown = Countdown()  # nobody could tell anything
        workers = {} if server is None else server.workers
        live = countdown.see(workers, time)
        left = why or work_left(live)
        if countdown.is_over(live, left):
            _tell_end(name, workers, live)
            return True
        if not left and time >= end + _LAST_WORD:
            left = f"{pluralize(len(live), 'worker')} of which nothing new was heard"
        if left and time >= end:
            typer.echo(f"{name} is not through after {wait:g} s: {left}", err=True)
            return False
        if left and left != said:
            said = left
            typer.echo(f"{name} drains: {left}")
        sleep(min(_LOOK, end - time) if time < end else _LOOK)


def _look(context: Context, name: str) -> tuple[ServerRow | None, str]:
    """Return the row of a server, or why there is none."""
    try:
        server = run(read_server(context, name, context.clock()))
    except StoreUnavailable as error:
        return None, f"the store is away: {error.why}"
    return (server, "") if server.is_there else (None, "its row has left the store")


def _tell_end(name: str, workers: Mapping[str, object], live: Mapping[str, object]) -> None:
    if workers and not live:
        typer.echo(
            f"no worker of {name} has told of itself for {ALIVE:g} s: it is down, or cannot reach "
            "the store",
            err=True,
        )
        return
    none = "" if live else ", and no worker of it runs"
    typer.echo(f"{name} drains: nothing is under way{none}")
