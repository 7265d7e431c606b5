"""The user table: names and argon2id hashes in a file of their own. ``account`` checks passwords.

Sessions say who is logged in; they are no place for accounts.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from sessile.wire.ambient import entropy

ACCOUNTS: Final = {"alice": "looking-glass", "bob": "sponge-and-bucket", "carol": "silent-night"}
"""Who may log in. The page shows the passwords, so they protect nothing."""

_AT_ONCE: Final = 2
"""Hashes computed at once: each takes 64 MiB and a core."""


class Users:
    """The accounts in one SQLite file.

    Args:
        path: where ``create`` put the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(entropy(16))
        self._turn = asyncio.Semaphore(_AT_ONCE)

    @classmethod
    def create(cls, path: Path, accounts: Mapping[str, str]) -> None:
        """Make the file, with the hashes of those passwords."""
        hasher = PasswordHasher()
        rows = [(name, hasher.hash(password)) for name, password in accounts.items()]
        with closing(sqlite3.connect(path)) as table, table:
            table.execute("CREATE TABLE users (name TEXT PRIMARY KEY, hash TEXT NOT NULL) STRICT")
            table.executemany("INSERT INTO users VALUES (?, ?)", rows)

    async def check(self, name: str, password: str) -> bool:
        """Tell whether that is the user's password.

        An unknown user costs as much time as a wrong password. The work is done on a thread, so
        the other visitors of this server do not wait.
        """
        async with self._turn:
            return await asyncio.to_thread(self._check, name, password)

    def _check(self, name: str, password: str) -> bool:
        known = self._hash_of(name)
        try:
            self._hasher.verify(known or self._decoy, password)
        except VerifyMismatchError:
            return False
        return known is not None

    def _hash_of(self, name: str) -> str | None:
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as table:
            row = table.execute("SELECT hash FROM users WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])
