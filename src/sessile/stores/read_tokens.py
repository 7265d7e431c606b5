"""The tokens of rows that were just read: who changes one next need not read it again.

A request reads a session, and most of those that write commit it then. Whether a token is still
good the server alone decides, when it compares: one that is remembered too long costs a read.
"""

from typing import Final

from sessile.core.ticket import Key
from sessile.stores.contract import HEAD_BYTES
from sessile.stores.key_value import Token

MOST_TOKENS: Final = 4096
"""Of each of two halves: when one is full the older one is forgotten."""


class ReadTokens:
    """The token of each row that was read, with the beginning of the row."""

    __slots__ = ("_newer", "_older")

    def __init__(self) -> None:
        self._newer: dict[Key, tuple[bytes, Token]] = {}
        self._older: dict[Key, tuple[bytes, Token]] = {}

    def note(self, key: Key, row: bytes, token: Token) -> None:
        """Remember the token of a row."""
        if len(self._newer) >= MOST_TOKENS:
            self._older, self._newer = self._newer, {}
        self._newer[key] = row[:HEAD_BYTES], token

    def take(self, key: Key, head: bytes) -> Token | None:
        """Return the token of a row that begins so, and forget it; None where it is not known."""
        found = self._newer.pop(key, None) or self._older.pop(key, None)
        return found[1] if found is not None and found[0].startswith(head) else None

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)
