"""Whether a log names the users, and how. For ``sinks.jsonlines``."""

import hmac
from enum import Enum
from typing import Final

from sessile.core.secrets import KeyRing
from sessile.errors import ConfigError

_LENGTH: Final = 32
"""Hex digits of a pseudonym: 128 bits, so that no two users share one."""


class Users(Enum):
    """What stands for an event's owner."""

    OMITTED = "omitted"  # nothing
    PSEUDONYM = "pseudonym"  # tells users apart; with the key, anyone can look for a known user
    PLAIN = "plain"  # the user as the application named them: personal data


class Naming:
    """How users are named, and the key for it. Never shown.

    Args:
        users: what stands for a user.
        key: for pseudonyms, and only for them.

    Raises:
        ConfigError: the key is missing, or is of no use.
        WeakSecret: the key could be guessed.
    """

    __slots__ = ("_key", "_users")

    def __init__(self, users: Users, key: bytes | None = None) -> None:
        if not isinstance(users, Users):
            members = ", ".join(f"Users.{member.name}" for member in Users)
            raise ConfigError(f"users={users!r}: write one of {members}")
        if (users is Users.PSEUDONYM) != (key is not None):
            raise ConfigError(
                "Users.PSEUDONYM takes a key of its own, from `sessile keygen`; drop it otherwise"
            )
        self._users = users
        self._key = b"" if key is None else KeyRing([key]).newest

    def __call__(self, owner: str) -> str | None:
        """Return the name of this user for the log; None leaves the user out."""
        if self._users is Users.PSEUDONYM:
            return pseudonym(owner, self._key)
        return owner if self._users is Users.PLAIN else None

    def __repr__(self) -> str:
        return f"<Naming: {self._users.value}>"


def pseudonym(user: str, key: bytes) -> str:
    """Return the pseudonym that ``Users.PSEUDONYM`` writes for a user, to look for it in a log."""
    return hmac.digest(key, user.encode("utf-8", "surrogatepass"), "sha256").hex()[:_LENGTH]
