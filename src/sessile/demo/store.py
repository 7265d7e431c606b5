"""Where sessions are kept: the store's URL, and the secret the servers share. For ``launcher``."""

from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Self
from urllib.parse import quote

from sessile import Sessions
from sessile.errors import ConfigError
from sessile.stores.contract import Capability
from sessile.stores.location import redact
from sessile.stores.open import open_store
from sessile.wire.system import setting


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """A store's URL, and the secret drawn for this run; None where there is one already."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    @classmethod
    def choose(cls, url: str | None, folder: Path) -> Self:
        """Return the store of that URL, or else a file in that folder.

        Raises:
            ConfigError: the URL is wrong, or names a store that processes cannot share or that
                knows no users.
        """
        if url is None:
            return cls(f"sqlite:///{quote(str(folder / 'sessions.db'))}")
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

    @property
    def redacted_url(self) -> str:
        """The URL without credentials."""
        return redact(self.url)

    def environ(self) -> dict[str, str]:
        """Return the settings that every server needs."""
        drawn = {} if self.secret is None else {"SESSILE_SECRETS": self.secret}
        return {"SESSILE_URL": self.url, **drawn}

    async def check(self) -> None:
        """Check that the store answers and that the secret is strong enough.

        Raises:
            ConfigError: something is wrong; the message says what to write instead.
            StoreUnavailable: the store does not answer.
        """
        sessions = Sessions(self.url, secrets=self.secret and [self.secret])
        try:
            await sessions.ping()
        finally:
            await sessions.close()
