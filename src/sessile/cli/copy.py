"""``sessile copy``: carry every session from one store to another. ``stores.moving`` moves one."""

from collections.abc import Callable
from typing import Annotated, Final

import typer

from sessile.cli.operator import missing, refuse_empty_secrets
from sessile.cli.printable import pluralize
from sessile.cli.progress import show_count
from sessile.core.flow import run
from sessile.core.record import RecordKind
from sessile.errors import ConfigError, LostRace
from sessile.service.options import open_place
from sessile.stores.contract import Capability, FileBacked, Key, Record
from sessile.stores.moving import MovingStore
from sessile.wire import system

From = Annotated[str, typer.Argument(metavar="FROM", help="The URL where sessions are so far.")]
To = Annotated[str, typer.Argument(metavar="TO", help="The URL where they are kept from now on.")]

_BATCH: Final = 100
_SESSIONS: Final = frozenset((RecordKind.SESSION, RecordKind.MOVING))


def copy(former: From, to: To) -> None:
    """Carry every live session over from one store to another.

    Each is sealed as it is, so no secret is needed; what has arrived is removed where it was. Give
    every server the new URL first, and the old one as former= or SESSILE_FORMER_URL: then both go
    on, and nobody is logged out. It can be stopped and begun again at any time.
    """
    refuse_empty_secrets()
    old, new = open_place(former), open_place(to)
    try:
        if isinstance(old, FileBacked) and not old.path.exists():
            raise ConfigError(missing(old.path))
        for store in (old, new):
            if Capability.SHARED not in store.capabilities:
                raise ConfigError(f"{store.name} is inside a process, where no command can look")
        if Capability.SCAN not in old.capabilities:
            raise ConfigError(
                f"{old.name} cannot list its sessions, so none can be carried over: leave the "
                "application there until they are over, or have everybody log in again"
            )
        moving = MovingStore(new, old)
        run(moving.ping())
        with show_count("copying") as count:
            moved, busy = run(_move_all(moving, count))
    finally:
        run(old.close())
        run(new.close())
    typer.echo(f"{pluralize(moved, 'session')} carried over to {new.name}")
    if busy:
        typer.echo(f"{pluralize(busy, 'session')} in use just then: run it again", err=True)
        raise typer.Exit(1)


async def _move_all(moving: MovingStore, count: Callable[[int], None]) -> tuple[int, int]:
    """Return how many sessions have moved, and how many were in use."""
    moved, busy = 0, 0
    cursor: str | None = None
    while True:
        page = await moving.former.scan(cursor, _BATCH)
        before = moved
        for one in page.records:
            if not (isinstance(one, Record) and one.live_at(system.clock())):
                continue
            is_session = one.kind in _SESSIONS
            try:
                await moving.move(Key(one.key))
                moved += is_session
            except LostRace:
                busy += is_session
        count(moved - before)
        cursor = page.cursor
        if cursor is None:
            return moved, busy
