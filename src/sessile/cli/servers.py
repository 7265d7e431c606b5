"""``sessile servers``: the servers of a site that have names, and what each has to do."""

import json
import sys
from typing import Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sessile.cli.arguments import App, Json, Url
from sessile.cli.operator import connect_with_secrets
from sessile.cli.printable import printable
from sessile.core.flow import run
from sessile.service.server_row import ServerStatus, load_of_servers
from sessile.service.sessions import context_of

_HEADINGS: Final = ("server", "workers", "drained", "requests", "WebSockets", "sessions")

_FACTS: Final = (
    "name", "is_drained", "workers", "undrained", "requests", "sockets", "sessions",
)  # fmt: skip


def servers(url: Url = None, app: App = None, json: Json = False) -> None:
    """List the servers that have names, and what each has to do.

    Its workers that live, whether it drains, the requests and WebSockets that are under way, and
    how many sessions its workers have seen in a minute. A server is listed once it had a request,
    and for a week after its last one. In a pipe each is a line with tabs.
    """
    with connect_with_secrets(url, app) as sessions:
        context = context_of(sessions)
        found = run(load_of_servers(context, context.clock()))
    if json:
        _print_json(found)
    elif sys.stdout.isatty():
        _print_table(found)
    else:
        for status in found:
            typer.echo("\t".join(_cells(status)))


def _print_json(found: list[ServerStatus]) -> None:
    typer.echo(json.dumps([{name: getattr(each, name) for name in _FACTS} for each in found]))


def _print_table(found: list[ServerStatus]) -> None:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=True)
    for status in found:
        table.add_row(*map(Text, _cells(status)))
    Console().print(table)


def _cells(status: ServerStatus) -> list[str]:
    facts = (status.workers, _drain(status), status.requests, status.sockets, status.sessions)
    return [printable(status.name), *map(str, facts)]


def _drain(status: ServerStatus) -> str:
    if not status.is_drained:
        return "no"
    return f"all but {status.undrained}" if status.undrained else "yes"
