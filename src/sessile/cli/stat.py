"""``sessile stat``: how many sessions a store has, how large they are and how old.

``service.statistics`` counts them one by one, ``service.size`` asks the store itself, and
``cli.figures`` prints both.
"""

from typing import Annotated, TypeAlias

import typer

from sessile.cli.arguments import App, Json, Url
from sessile.cli.figures import print_figures, print_figures_json
from sessile.cli.operator import connect, place
from sessile.cli.progress import show_count
from sessile.core.flow import run
from sessile.errors import ConfigError
from sessile.service.context import Context
from sessile.service.sessions import context_of
from sessile.service.size import measure
from sessile.service.statistics import Statistics, count_page
from sessile.stores.contract import Capability, StoreSize

Quick: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quick", help="Ask the store alone how large it is, and look at none of its sessions."
    ),
]


def stat(url: Url = None, app: App = None, json: Json = False, quick: Quick = False) -> None:
    """Count sessions.

    How many there are, of users and of visitors, how large their records are and how old; then
    what the store says of itself. Every record is looked at, a page at a time; --quick looks at
    none.
    """
    with connect(url, app) as sessions:
        context = context_of(sessions)
        lists = Capability.SCAN in context.store.capabilities
        size = run(measure(context.store))
        if size is None and lists and quick:
            size = StoreSize(sessions.sync.count(), None)
        if size is None and not lists:
            raise ConfigError(f"{context.store.name} can neither list nor count its sessions")
        if not lists and not quick:
            typer.echo(f"{context.store.name} cannot list its sessions", err=True)
        counted = _survey(context) if lists and not quick else None
        where = place(sessions)
    if json:
        print_figures_json(where, counted, size)
    else:
        print_figures(where, counted, size)


def _survey(context: Context) -> Statistics:
    """Count every record of the store."""
    statistics = Statistics(context)
    cursor: str | None = None
    with show_count("counting") as count:
        while True:
            before = statistics.live.number
            cursor = run(count_page(statistics, context, cursor))
            count(statistics.live.number - before)
            if cursor is None:
                return statistics
