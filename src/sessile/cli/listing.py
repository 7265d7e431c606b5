"""How sessions are printed: a table for people, lines of tabs for pipes, JSON for programs."""

import json
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile.cli.printable import pluralize, printable
from sessile.cli.times import relative_time, timestamp
from sessile.core.info import SessionInfo
from sessile.core.value import Instant

_TIMES: Final = ("created", "last_seen", "expires", "ends")
_HEADINGS: Final = ("user", "device", "address", "created", "last seen", "expires", "remembered")


Fact: TypeAlias = str | int | bool | None


def facts(info: SessionInfo) -> dict[str, Fact]:
    """Return the facts of a session, without its trail, in the order in which they are shown."""
    return {
        "id": info.id,
        "user": info.user,
        "device": info.device,
        "address": info.address,
        "created": timestamp(info.created),
        "last_seen": timestamp(info.last_seen),
        "expires": timestamp(info.expires),
        "ends": timestamp(info.ends),
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
        cells = _cells(info, lambda moment: relative_time(moment, now))
        table.add_row(*(Text(printable(cell)) for cell in cells))  # never read as markup
    if table.row_count:
        Console().print(table)
    typer.echo(pluralize(table.row_count, "live session"))


def print_lines(infos: Iterable[SessionInfo]) -> None:
    """Print a line for each session, as it comes, with tabs between its facts."""
    for info in infos:
        typer.echo("\t".join(map(printable, _cells(info, timestamp))))


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
            _yes_or_no(fact)
            if isinstance(fact, bool)
            else printable("" if fact is None else str(fact))
        )
        beside = f"  ({relative_time(getattr(info, name), now)})" if name in _TIMES else ""
        typer.echo(f"{name.replace('_', ' '):<12}{text}{beside}".rstrip())
    for line in info.trail:
        whence = ", ".join(filter(None, (line.device, line.address)))
        beside = f"  ({printable(whence)})" if whence else ""
        typer.echo(f"{'trail':<12}{timestamp(line.at)}  {printable(line.what)}{beside}")


def print_one_json(info: SessionInfo) -> None:
    """Print one session as a JSON object, with its trail."""
    trail = [
        {
            "at": timestamp(line.at),
            "what": line.what,
            "address": line.address,
            "device": line.device,
        }
        for line in info.trail
    ]
    typer.echo(json.dumps(facts(info) | {"trail": trail}))


def _cells(info: SessionInfo, format_time: Callable[[Instant], str]) -> tuple[str, ...]:
    times = map(format_time, (info.created, info.last_seen, info.expires))
    who = (info.id, info.user or "", info.device, info.address)
    return (*who, *times, _yes_or_no(info.remembered))


def _yes_or_no(fact: bool) -> str:
    return "yes" if fact else "no"
