"""The sessions that are large, as a server last said: small ones need not wait behind them."""

from typing import Final

from sessile.core.ticket import Key
from sessile.wire.commands.lane import LARGE

_MOST_LARGE: Final = 1000  # keys that are remembered


class LargeKeys:
    """The keys of sessions that were large when they were last read."""

    __slots__ = ("_keys",)

    def __init__(self) -> None:
        self._keys: set[Key] = set()

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def note(self, key: Key, row: bytes) -> None:
        """Have this session read, from here on, over the connection for large ones, if it is."""
        if len(row) >= LARGE and key not in self._keys:
            if len(self._keys) >= _MOST_LARGE:
                self._keys.clear()
            self._keys.add(key)
