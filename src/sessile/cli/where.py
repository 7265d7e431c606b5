"""``sessile where``: the servers that keep one session, where a store spreads them."""

import msgspec
import typer

from sessile.cli.arguments import App, Json, SessionId, Url
from sessile.cli.operator import connect
from sessile.cli.printable import printable
from sessile.core.flow import run
from sessile.core.ticket import Key
from sessile.errors import ConfigError
from sessile.service.sessions import context_of
from sessile.stores.contract import HasPlacement
from sessile.stores.moving import MovingStore
from sessile.stores.placement import CopyState, Placement


def where(id: SessionId, url: Url = None, app: App = None, json: Json = False) -> None:  # noqa: A002
    """Show which servers keep a session.

    Its primary, which decides about it; the backups, each of which can become that; and the servers
    that have no copy and ask the primary. For nats://, replicated:// and backup://.
    """
    with connect(url, app) as sessions:
        store = context_of(sessions).store
        if isinstance(store, MovingStore):
            store = store.store  # to which it has moved, once it was shown
        if not isinstance(store, HasPlacement):
            raise ConfigError(
                f"{store.name} is one place for all sessions, as far as sessile knows: `where` is "
                "for nats://, replicated:// and backup://"
            )
        if sessions.sync.show(id) is None:
            typer.echo(f"no live session has the id {id}", err=True)
            raise typer.Exit(1)
        found = run(store.placement(Key(id)))
    if json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        _print(found)


def _print(found: Placement) -> None:
    backups = [
        name if state is CopyState.CURRENT else f"{name} ({state.value})"
        for name, state in found.backups.items()
    ]
    rows = {
        "shard": found.shard,
        "primary": found.primary or "none: its servers elect one",
        "backups": ", ".join(backups) or "none",
        "proxies": ", ".join(found.proxies) or "none",
    }
    for name, text in rows.items():
        typer.echo(f"{name:<11} {printable(text)}")
