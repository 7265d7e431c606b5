"""``sessile end``: end one session, from anywhere. ``cli.end_all`` ends a user's."""

import typer

from sessile.cli.arguments import App, SessionId, Url
from sessile.cli.operator import connect


def end(id: SessionId, url: Url = None, app: App = None) -> None:  # noqa: A002
    """End one session.

    Every server refuses it at once.
    """
    with connect(url, app) as sessions:
        if not sessions.sync.end(id):
            typer.echo(f"no live session has the id {id}; nothing was ended", err=True)
            raise typer.Exit(1)
    typer.echo(f"ended {id}")
