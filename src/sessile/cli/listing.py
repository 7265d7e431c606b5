"""How sessions are printed: a table for people, lines of tabs for pipes, JSON for programs."""

import json
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile.cli.moment import apart, stamp
from sessile.cli.printable import counted, printable
from sessile.core.value import Instant
from sessile.service.owners import SessionInfo

_TIMES: Final = ("created", "last_seen", "expires", "ends")
_HEADINGS: Final = ("user", "device", "address", "created", "last seen", "expires", "remembered")


Fact: TypeAlias = str | int | bool | None


def facts(info: SessionInfo) -> dict[str, Fact]:
    """Return what is known of a session beside its trail, in the order in which it is shown."""
    return {
        "id": info.id,
        "user": info.user,
        "device": info.device,
        "address": info.address,
        "created": stamp(info.created),
        "last_seen": stamp(info.last_seen),
        "expires": stamp(info.expires),
        "ends": stamp(info.ends),
        "remembered": info.remembered,
        "assurance": info.assurance,
        "version": info.version,
    }


def print_table(infos: Iterable[SessionInfo], now: Instant) -> None:
    """Print a table, with times as people say them."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True, min_width=20)
    for heading in _HEADINGS:
        table.add_column(heading, overflow="fold" if heading == "address" else "ellipsis")
    for info in infos:
        cells = _cells(info, lambda moment: apart(moment, now))
        table.add_row(*(Text(printable(cell)) for cell in cells))  # never read as markup
    if table.row_count:
        Console().print(table)
    typer.echo(counted(table.row_count, "live session"))


def print_lines(infos: Iterable[SessionInfo]) -> None:
    """Print a line for each session, as it comes, with tabs between its facts."""
    for info in infos:
        typer.echo("\t".join(map(printable, _cells(info, stamp))))


def print_json(infos: Iterable[SessionInfo]) -> None:
    """Print one JSON array, each session as it comes."""
    before = "["
    for info in infos:
        typer.echo(f"{before}\n{json.dumps(facts(info))}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def print_one(info: SessionInfo, now: Instant) -> None:
    """Print a line for each fact of one session, then its trail, oldest line first."""
    for name, fact in facts(info).items():
        text = (
            _yes(fact) if isinstance(fact, bool) else printable("" if fact is None else str(fact))
        )
        beside = f"  ({apart(getattr(info, name), now)})" if name in _TIMES else ""
        typer.echo(f"{name.replace('_', ' '):<12}{text}{beside}".rstrip())
    for line in info.trail:
        whence = ", ".join(filter(None, (line.device, line.address)))
        beside = f"  ({printable(whence)})" if whence else ""
        typer.echo(f"{'trail':<12}{stamp(line.at)}  {printable(line.what)}{beside}")


def print_one_json(info: SessionInfo) -> None:
    """Print one session as a JSON object, with its trail."""
    trail = [
        {"at": stamp(line.at), "what": line.what, "address": line.address, "device": line.device}
        for line in info.trail
    ]
    typer.echo(json.dumps(facts(info) | {"trail": trail}))


def _cells(info: SessionInfo, told: Callable[[Instant], str]) -> tuple[str, ...]:
    times = map(told, (info.created, info.last_seen, info.expires))
    who = (info.id, info.user or "", info.device, info.address)
    return (*who, *times, _yes(info.remembered))


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
