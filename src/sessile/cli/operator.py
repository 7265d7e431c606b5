"""The sessions at a URL for an operator, who lists and ends but never opens one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessile.cli.application import load_sessions
from sessile.codecs.sealing import PlainSealer
from sessile.core.policy import Policy
from sessile.core.record import Record
from sessile.core.value import Instant
from sessile.errors import ConfigError
from sessile.service.sessions import Sealing, Sessions, context_of
from sessile.stores.contract import Capability, FileBacked, Store
from sessile.wire import system


@contextmanager
def connect(url: str | None, app: str | None = None) -> Iterator[Sessions]:
    """Connect an operator to the sessions at a URL, or of an application that is named.

    Without either it is where the application keeps them by default.

    To list and to end takes no secret, so without ``app`` none has to be given and none is kept:
    the ring is drawn for the occasion, and records are taken as they stand. Whoever reaches the
    store may end what is in it anyway; what somebody planted there is listed as well, and opens
    nothing.

    Raises:
        ConfigError: there is nothing to see, and looking would make it; or a setting is empty.
    """
    with _look_into(_open(url) if app is None else open_application(app, url)) as sessions:
        yield sessions


@contextmanager
def connect_with_secrets(url: str | None, app: str | None = None) -> Iterator[Sessions]:
    """Connect an operator who reads and writes what servers believe: it takes their secrets.

    Raises:
        ConfigError: there are none; or nothing is to see, as with ``connect``.
    """
    system.setting("SESSILE_URL")  # an empty one is told first, as by every command
    if app is None and system.setting("SESSILE_SECRETS") is None:
        raise ConfigError(
            "servers obey whoever has their secrets: set SESSILE_SECRETS as they have it, or name "
            "the application, as in --app shop:sessions"
        )
    with _look_into(Sessions(url) if app is None else open_application(app, url)) as sessions:
        yield sessions


@contextmanager
def _look_into(sessions: Sessions) -> Iterator[Sessions]:
    """Give sessions that there are, and close them."""
    try:
        _refuse_invisible(context_of(sessions).store)
        yield sessions
    finally:
        sessions.sync.close()


def _open(url: str | None) -> Sessions:
    refuse_empty_secrets()
    sessions = Sessions(url, secrets=[system.entropy(32)], sealing=Sealing.OFF, policy=_Unknown())
    context_of(sessions).sealer = _Unproved(context_of(sessions).ring)
    return sessions


def refuse_empty_secrets() -> None:
    """Refuse what the application does not start with, also where no secret is needed.

    Raises:
        ConfigError: the setting is there and empty, so the environment is not the application's.
    """
    system.setting("SESSILE_SECRETS")


def open_application(app: str, url: str | None) -> Sessions:
    """Return the application's own sessions.

    Raises:
        ConfigError: there are none of that name, or a URL says something else.
    """
    if url is not None:
        raise ConfigError("--app and --url each say where sessions are: drop one of them")
    return load_sessions(app)


class _Unproved(PlainSealer):
    """Takes records as they stand, and leaves them so."""

    __slots__ = ()

    def holds(self, record: Record) -> bool:  # noqa: ARG002
        """Take it."""
        return True

    def prove(self, record: Record) -> Record:
        """Leave it."""
        return record


class _Unknown(Policy):
    """Takes what was stored for true: the application's own policy may be a milder one."""

    __slots__ = ()

    def lives(self, record: Record, now: Instant, used: Instant | None = None) -> bool:  # noqa: ARG002  (no request is under way here)
        """Tell whether its time is not over."""
        return record.live_at(now)


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
