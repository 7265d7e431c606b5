"""``sessile sweep``: remove what has expired, where the store's server does not do it itself."""

import typer

from sessile.cli.arguments import App, Url
from sessile.cli.operator import connect
from sessile.cli.printable import pluralize
from sessile.cli.progress import show_count
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability


def sweep(url: Url = None, app: App = None) -> None:
    """Remove expired sessions.

    Prints how many there were. Applications remove some with every 64th new session; this removes
    all of them.
    """
    removed = 0
    with connect(url, app) as sessions, show_count("sweeping") as count:
        for batch in sessions.sync.sweep():
            removed += batch
            count(batch)
        store = context_of(sessions).store
    if Capability.NATIVE_EXPIRY in store.capabilities:
        typer.echo(f"{store.name} removes what has expired by itself", err=True)
    typer.echo(f"{pluralize(removed, 'expired session')} removed")
