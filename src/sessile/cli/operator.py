"""The sessions at a URL for an operator, who lists and ends but never opens one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessile.codecs.sealing import PlainSealer
from sessile.core.record import Record
from sessile.errors import ConfigError
from sessile.service.sessions import Sealing, Sessions, context_of
from sessile.stores.contract import Capability, FileBacked, Store
from sessile.wire import system


@contextmanager
def connect(url: str | None) -> Iterator[Sessions]:
    """Connect an operator to the sessions at a URL; None is where the application keeps them.

    To list and to end takes no secret, so none has to be given and none is kept: the ring is drawn
    for the occasion, and records are taken as they stand. Whoever reaches the store may end what is
    in it anyway; what somebody planted there is listed as well, and opens nothing.

    Raises:
        ConfigError: there is nothing to see, and looking would make it.
    """
    sessions = Sessions(url, secrets=[system.entropy(32)], sealing=Sealing.OFF)
    context_of(sessions).sealer = _Unproved(context_of(sessions).ring)
    try:
        _refuse_invisible(context_of(sessions).store)
        yield sessions
    finally:
        sessions.sync.close()


class _Unproved(PlainSealer):
    """Takes records as they stand, and leaves them so."""

    __slots__ = ()

    def holds(self, record: Record) -> bool:  # noqa: ARG002
        """Take it."""
        return True

    def prove(self, record: Record) -> Record:
        """Leave it."""
        return record


def _refuse_invisible(store: Store) -> None:
    if Capability.SHARED not in store.capabilities:
        raise ConfigError(
            f"{store.name} is inside the application's process, where no command can look; "
            "use its Sessions there, or keep sessions in sqlite:///sessile.db"
        )
    if isinstance(store, FileBacked) and not store.path.exists():
        raise ConfigError(missing(store.path))


def missing(path: Path) -> str:
    """Say that there is no file, where it was looked for, and how to name another."""
    return (
        f"there is no database {path}; the application makes it with its first session. Go to the "
        "folder where the application starts, or name the file: "
        f"--url sqlite:////path/to/{path.name}"
    )


def place(sessions: Sessions) -> str:
    """Return where the sessions are, so that nobody takes one file for another."""
    store = context_of(sessions).store
    return f"{store.path}" if isinstance(store, FileBacked) else store.name
