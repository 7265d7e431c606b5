"""``sessile show``: the metadata of one session. Its values and its ticket stay where they are."""

import typer

from sessile.cli.arguments import App, Json, SessionId, Url
from sessile.cli.listing import print_one, print_one_json
from sessile.cli.operator import connect
from sessile.wire import system


def show(id: SessionId, url: Url = None, app: App = None, json: Json = False) -> None:  # noqa: A002
    """Show one session.

    Who, which device, from where, since when and until when, and what was done with it; never its
    values.
    """
    with connect(url, app) as sessions:
        found = sessions.sync.show(id)
        if found is None:
            typer.echo(f"no live session has the id {id}", err=True)
            raise typer.Exit(1)
        if json:
            print_one_json(found)
        else:
            print_one(found, system.clock())
