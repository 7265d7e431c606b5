"""How sessions are printed: a table for people, lines of tabs for pipes, JSON for programs."""

import json
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile.cli.printable import pluralize, printable
from sessile.cli.times import relative_time, timestamp
from sessile.core.info import SessionInfo
from sessile.core.value import Instant

_TIMES: Final = ("created", "last_seen", "expires", "ends")
_HEADINGS: Final = (
    "id", "user", "device", "address", "created", "last seen", "expires", "remembered",
)  # fmt: skip
_LEAST_FIRST: Final = ("remembered", "created", "expires", "device")
_GAP: Final = 2
_NAME: Final = 12
"""So much of a user's or a device's name is shown where there is no room for more."""


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
    """Print a table, with times as people say them, and as many columns as there is room for."""
    rows = [
        list(map(printable, _cells(info, lambda moment: relative_time(moment, now))))
        for info in infos
    ]
    console = Console()
    shown = _columns_within(console.width, rows)
    table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
    for column in shown:
        table.add_column(_HEADINGS[column], no_wrap=True, min_width=_least_width(column, rows))
    for cells in rows:
        table.add_row(*(Text(cells[column]) for column in shown))  # never read as markup
    if rows:
        console.print(table)
    left_out = [heading for at, heading in enumerate(_HEADINGS) if at not in shown]
    more = f"; no room for {', '.join(left_out)}: --json has all" if rows and left_out else ""
    typer.echo(pluralize(len(rows), "live session") + more)


def _columns_within(width: int, rows: list[list[str]]) -> list[int]:
    """Return the columns for which there is room; those that matter least go first."""
    shown = list(range(len(_HEADINGS)))
    for heading in _LEAST_FIRST:
        if sum(_least_width(column, rows) + _GAP for column in shown) <= width:
            break
        shown.remove(_HEADINGS.index(heading))
    return shown


def _least_width(column: int, rows: list[list[str]]) -> int:
    """Return how wide a column is at least: whoever named a user or a device may be cut short."""
    heading = _HEADINGS[column]
    widest = max([len(heading), *(cell_len(cells[column]) for cells in rows)])
    return min(widest, _NAME) if heading in {"user", "device"} else widest


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
