"""``sessile end-everybody``: end every session there is. ``cli.end_all`` ends those of one user."""

from typing import Annotated

import typer

from sessile.cli.arguments import App, Url
from sessile.cli.operator import connect, place
from sessile.cli.printable import printable

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def end_everybody(url: Url = None, app: App = None, yes: Yes = False) -> None:
    """End every session of everybody.

    For when sessions may have been stolen. Every server refuses them at once, and everybody has to
    log in again. Evidence of thefts and known devices go with them. Where a crash of the store may
    bring them back, a line on stderr says why and what to do.
    """
    with connect(url, app) as sessions:
        where = place(sessions)
        if not yes:
            sessions.sync.ping()  # a question about what cannot be reached is not worth an answer
            _confirm(where)
        risk = sessions.sync.end_everybody()
    typer.echo(f"ended every session of everybody in {where}")
    if risk is not None:
        typer.echo(f"but {printable(risk)}", err=True)


def _confirm(where: str) -> None:
    """Ask, and exit unless the answer is yes. No answer is no."""
    try:
        meant = typer.confirm(f"End every session of everybody in {where}?", err=True)
    except typer.Abort:
        typer.echo(err=True)
        meant = False
    if not meant:
        typer.echo("nothing was ended; --yes ends without asking", err=True)
        raise typer.Exit(1)
