"""The sessions at a URL for an operator, who lists and ends but never opens one."""

from collections.abc import Iterator
from contextlib import contextmanager

from sessile.core.change import Capability
from sessile.core.flow import run
from sessile.errors import ConfigError
from sessile.service.owners import SessionInfo
from sessile.service.sessions import Sealing, Sessions
from sessile.stores.contract import InFile, Store
from sessile.wire import system


@contextmanager
def connect(url: str | None) -> Iterator[Sessions]:
    """Connect an operator to the sessions at a URL; None is where the application keeps them.

    To list and to end takes no secret, so none has to be given and none is kept: the ring is drawn
    for the occasion. Whoever reaches the store may end what is in it anyway.

    Raises:
        ConfigError: there is nothing to see, and looking would make it.
    """
    sessions = Sessions(url, secrets=[system.entropy(32)], sealing=Sealing.OFF)
    try:
        _refuse_invisible(sessions.parts.store)
        yield sessions
    finally:
        sessions.sync.close()


def scan(sessions: Sessions) -> Iterator[list[SessionInfo]]:
    """Yield all live sessions, page by page, each session once.

    Raises:
        ConfigError: the store cannot list what it holds.
    """
    store, clock = sessions.parts.store, sessions.parts.clock
    if Capability.SCAN not in store.capabilities:
        raise ConfigError(f"{store.name} cannot list all sessions; name a user with --owner")
    seen: set[str] = set()
    page = run(store.scan(clock()))
    while True:
        fresh = {r.key: r for r in page.records if r.key not in seen and not r.over}
        seen |= fresh.keys()
        yield [SessionInfo.of(record) for record in fresh.values()]
        if page.cursor is None:
            return
        page = run(store.scan(clock(), page.cursor))


def _refuse_invisible(store: Store) -> None:
    if Capability.SHARED not in store.capabilities:
        raise ConfigError(
            f"{store.name} is inside the application's process, where no command can look; "
            "use its Sessions there, or keep sessions in sqlite:///sessile.db"
        )
    if isinstance(store, InFile) and not store.path.exists():
        raise ConfigError(
            f"there is no database {store.path}; it is made with the first session. "
            "Go to the application's folder, or name it with --url"
        )
