"""Where sessions are kept: the store's URL, and the secret the servers share. For ``launcher``.

``nodes.hosts`` runs the servers of a store whose URL names none.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from sessile import Sessions
from sessile.cluster.local import needs_node
from sessile.core.secrets import KeyRing
from sessile.core.value import Seconds
from sessile.demo.fleet.process import UnexpectedExit
from sessile.errors import ConfigError, MissingExtra, StoreUnavailable
from sessile.service.options import ring_of_settings
from sessile.stores.contract import Capability
from sessile.stores.location import redact
from sessile.stores.open import open_store
from sessile.wire.system import setting

if TYPE_CHECKING:
    from sessile.demo.nodes.hosts import DemoHosts  # whose driver is an extra

_PATIENCE: Final[Seconds] = 30.0
_PAUSE: Final[Seconds] = 0.2


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """A store's URL, and the secret drawn for this run; None where there is one already.

    Attributes:
        url: as it was given.
        secret: that one.
        hosts: the nodes of the store, where the demo runs them.
    """

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    hosts: "DemoHosts | None" = field(default=None, repr=False)

    @classmethod
    def choose(
        cls, url: str | None, folder: Path, on_failure: Callable[[UnexpectedExit], object]
    ) -> Self:
        """Return the store of that URL, or else a file in that folder.

        Args:
            url: names it.
            folder: of this run.
            on_failure: called with the error of a node that ended unasked.

        Raises:
            ConfigError: the URL is wrong, or names a store that processes cannot share or that
                knows no users.
        """
        if url is None:
            drawn = setting("SESSILE_SECRETS") is None
            file = f"sqlite:///{quote(str(folder / 'sessions.db'))}"
            return cls(file, token_urlsafe(32) if drawn else None)
        if needs_node(url):
            return cls._with_nodes(url, folder, on_failure)
        able = open_store(url).capabilities
        if Capability.SHARED not in able:
            raise ConfigError(
                f"{redact(url)} keeps sessions inside one process, and the demo has several: "
                "leave the URL out, or write redis://localhost:6379/0"
            )
        if Capability.OWNERS not in able:
            raise ConfigError(
                f"{redact(url)} keeps no index of a user's sessions, and the demo shows each user "
                "theirs: leave the URL out, or write redis://localhost:6379/0"
            )
        drawn = Capability.NETWORK in able and setting("SESSILE_SECRETS") is None
        return cls(url, token_urlsafe(32) if drawn else None)

    @classmethod
    def _with_nodes(
        cls, url: str, folder: Path, on_failure: Callable[[UnexpectedExit], object]
    ) -> Self:
        try:
            from sessile.demo.nodes.hosts import DemoHosts  # noqa: PLC0415  (it needs an extra)
        except ModuleNotFoundError as error:
            raise MissingExtra(f"the demo on {redact(url)}", "cluster") from error
        given = ring_of_settings(None)
        secret = token_urlsafe(32) if given is None else None
        environ = os.environ if secret is None else {**os.environ, "SESSILE_SECRETS": secret}
        ring = given or KeyRing([secret or ""])
        hosts = DemoHosts(url, folder, ring, environ=environ, on_failure=on_failure)
        open_store(hosts.url_of(""))  # which connects nothing: an option may be wrong
        return cls(url, secret, hosts)

    @property
    def redacted_url(self) -> str:
        """The URL without credentials."""
        return redact(self.url)

    @property
    def route_key(self) -> bytes | None:
        """The secret by which servers and balancer know a route.

        None for a file that has its own, which is not to be sealed with another one.
        """
        ring = ring_of_settings(None) if self.secret is None else KeyRing([self.secret])
        return None if ring is None else ring.newest

    def url_of(self, server: str) -> str:
        """Return the URL for a server; "" for one that has no node."""
        return self.url if self.hosts is None else self.hosts.url_of(server)

    def environ(self, server: str) -> dict[str, str]:
        """Return the environment of a server."""
        drawn = {} if self.secret is None else {"SESSILE_SECRETS": self.secret}
        return {**os.environ, "SESSILE_URL": self.url_of(server), **drawn}

    async def check(self) -> None:
        """Check that the store answers and that the secret is strong enough.

        Nodes of ours are waited for: they have only just found each other.

        Raises:
            ConfigError: something is wrong; the message says what to write instead.
            StoreUnavailable: the store does not answer.
        """
        sessions = Sessions(self.url_of(""), secrets=self.secret and [self.secret])
        try:
            if self.hosts is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(_wait_for_answer(sessions), _PATIENCE)
            await sessions.ping()
        finally:
            await sessions.close()


async def _wait_for_answer(sessions: Sessions) -> None:
    while True:
        with suppress(StoreUnavailable):
            await sessions.ping()
            return
        await asyncio.sleep(_PAUSE)
