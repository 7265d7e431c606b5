"""The user table: names, argon2id hashes and TOTP secrets. ``account`` checks passwords.

Sessions say who is logged in; they are no place for accounts.
"""

import asyncio
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from pyotp import random_base32

from sessile.wire.system import entropy

ACCOUNTS: Final = {"alice": "looking-glass", "bob": "sponge-and-bucket", "carol": "silent-night"}
"""Who may log in. The page shows the passwords, so they protect nothing."""

_TABLE: Final = """
    CREATE TABLE users (
        name TEXT PRIMARY KEY,
        hash TEXT NOT NULL,
        secret TEXT NOT NULL,
        step INTEGER NOT NULL DEFAULT 0
    ) STRICT
"""
_AT_ONCE: Final = 2
"""Hashes computed at once: each takes 64 MiB and a core."""


class UserTable:
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
        """Make the file, with the hashes of those passwords, and a TOTP secret for each user."""
        hasher = PasswordHasher()
        rows = [
            (name, hasher.hash(password), random_base32()) for name, password in accounts.items()
        ]
        with closing(sqlite3.connect(path)) as table, table:
            table.execute(_TABLE)
            table.executemany("INSERT INTO users (name, hash, secret) VALUES (?, ?, ?)", rows)

    async def check(self, name: str, password: str) -> bool:
        """Tell whether that is the user's password.

        An unknown user costs as much time as a wrong password. The work is done on a thread, so
        the other visitors of this server do not wait.
        """
        async with self._turn:
            return await asyncio.to_thread(self._check, name, password)

    def _check(self, name: str, password: str) -> bool:
        known = self._of(name, "hash")
        try:
            self._hasher.verify(self._decoy if known is None else str(known), password)
        except VerifyMismatchError:
            return False
        return known is not None

    def secret_of(self, name: str) -> str:
        """Return the TOTP secret of a user that exists, in base 32."""
        return str(self._of(name, "secret"))

    def use_step(self, name: str, step: int) -> bool:
        """Note that the code of a time step was used; False when it, or a later one, was before.

        One statement decides, so of two requests with one code a single one gets through.
        """
        with closing(sqlite3.connect(self._path)) as table, table:
            used = table.execute(
                "UPDATE users SET step = :step WHERE name = :name AND step < :step",
                {"name": name, "step": step},
            )
            return used.rowcount == 1

    def last_step(self, name: str) -> int:
        """Return the newest time step whose code was used; 0 for none."""
        return int(str(self._of(name, "step")))

    def _of(self, name: str, column: Literal["hash", "secret", "step"]) -> object:
        query = f"SELECT {column} FROM users WHERE name = ?"  # noqa: S608  (one of three words)
        with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)) as table:
            row = table.execute(query, (name,)).fetchone()
        return None if row is None else row[0]
