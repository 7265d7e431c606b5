"""``sessile end-all``: end a user's sessions, but for one if so wished. ``cli.end`` ends one."""

from typing import Annotated

import typer

from sessile.cli.arguments import App, Owner, Url, session_id
from sessile.cli.operator import connect
from sessile.cli.printable import pluralize, printable
from sessile.core.ticket import Key
from sessile.service.sessions import Sessions

Keep = Annotated[
    Key | None,
    typer.Option("--keep", metavar="ID", parser=session_id, help="The session that stays."),
]


def end_all(owner: Owner, url: Url = None, app: App = None, keep: Keep = None) -> None:
    """End all sessions of a user.

    Every server refuses them at once.
    """
    with connect(url, app) as sessions:
        if keep is not None:
            _require_own(sessions, owner, keep)
        ended = sessions.sync.end_all(owner, keep=keep)
    if not ended:
        other = "" if keep is None else "other "
        typer.echo(f"{printable(owner)} has no {other}live session; nothing was ended", err=True)
        raise typer.Exit(1)
    typer.echo(f"ended {pluralize(ended, 'session')} of {printable(owner)}")


def _require_own(sessions: Sessions, owner: str, keep: Key) -> None:
    """Refuse before anything is ended: a mistyped ``--keep`` would end the one to be kept."""
    if all(info.id != keep for info in sessions.sync.of(owner)):
        raise typer.BadParameter(
            f"{keep} is no live session of {printable(owner)}; nothing was ended"
        )
