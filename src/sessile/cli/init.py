"""``sessile init``: make what a store needs before its first session, as the table of Postgres."""

from typing import Annotated

import typer

from sessile.cli.arguments import App, Url
from sessile.cli.operator import connect
from sessile.core.flow import run
from sessile.service.sessions import context_of
from sessile.stores.contract import HasTable


def init(
    url: Url = None,
    app: App = None,
    show: Annotated[
        bool,
        typer.Option("--print", help="Print what would be done, and connect to nothing."),
    ] = False,
) -> None:
    """Make the table that sessions are kept in.

    Harmless when it is there. The other stores need nothing. Print it for whoever reviews changes
    of the database; run it as a user who may make tables.
    """
    with connect(url, app) as sessions:
        store = context_of(sessions).store
        if not isinstance(store, HasTable):
            typer.echo(f"{store.name} needs no table: nothing to do")
        elif show:
            typer.echo(";\n".join((*store.table_statements(), "")), nl=False)
        elif made := run(store.make_table()):
            typer.echo(f"made {made}")
        else:
            typer.echo(f"{store.table} is there already")
