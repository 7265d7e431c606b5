"""How sessions are printed: a table for people, lines of tabs for pipes, JSON for programs."""

import json
from collections.abc import Iterable
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile.cli.moment import apart, stamp
from sessile.cli.printable import counted, printable
from sessile.core.value import Instant
from sessile.service.owners import SessionInfo

_TIMES: Final = ("created", "last_seen", "expires", "ends")


def facts(info: SessionInfo) -> dict[str, str | int | bool | None]:
    """Return what is known of a session, in the order in which it is shown."""
    return {
        "id": info.id,
        "user": info.user,
        "device": info.device,
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
    for heading in ("user", "device", "created", "last seen", "expires", "remembered"):
        table.add_column(heading)
    for info in infos:
        times = (apart(moment, now) for moment in (info.created, info.last_seen, info.expires))
        cells = (info.id, info.user or "", info.device, *times, _yes(info.remembered))
        table.add_row(*(Text(printable(cell)) for cell in cells))  # never read as markup
    if table.row_count:
        Console().print(table)
    typer.echo(counted(table.row_count, "live session"))


def print_lines(infos: Iterable[SessionInfo]) -> None:
    """Print a line for each session, as it comes, with tabs between its facts."""
    for info in infos:
        times = map(stamp, (info.created, info.last_seen, info.expires))
        cells = (info.id, info.user or "", info.device, *times, _yes(info.remembered))
        typer.echo("\t".join(map(printable, cells)))


def print_json(infos: Iterable[SessionInfo]) -> None:
    """Print one JSON array, each session as it comes."""
    before = "["
    for info in infos:
        typer.echo(f"{before}\n{json.dumps(facts(info))}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def print_one(info: SessionInfo, now: Instant) -> None:
    """Print a line for each fact of one session."""
    for name, fact in facts(info).items():
        text = (
            _yes(fact) if isinstance(fact, bool) else printable("" if fact is None else str(fact))
        )
        beside = f"  ({apart(getattr(info, name), now)})" if name in _TIMES else ""
        typer.echo(f"{name.replace('_', ' '):<12}{text}{beside}".rstrip())


def print_one_json(info: SessionInfo) -> None:
    """Print one session as a JSON object."""
    typer.echo(json.dumps(facts(info)))


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"
