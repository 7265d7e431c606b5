"""How much one session may hold. ``core.changes`` asks when something is set, ``service`` later.

Every request reads the whole session and every commit writes it, so a fat one slows its neighbours.
"""

from collections.abc import Collection

import msgspec

from sessile.core.value import Encoded
from sessile.errors import SessionTooLarge


class SizeLimit(msgspec.Struct, frozen=True):
    """What one session may hold at most; the policy has one.

    Attributes:
        max_bytes: of all keys (UTF-8) and values, as they are encoded and before they are sealed.
        max_keys: how many keys.
    """

    max_bytes: int = 2**20
    max_keys: int = 1_000

    def check(self, before: Encoded, written: Encoded, removed: Collection[str]) -> None:
        """Refuse a change that makes a session too large.

        One that is too large already, since an older policy allowed it, may shrink and stay.

        Args:
            before: what it holds.
            written: the values that are set or changed.
            removed: the keys that go.

        Raises:
            SessionTooLarge: it would hold too much, and more than it did; names the key of the
                value that grows most.
        """
        most = 4 * (sum(map(len, before)) + sum(map(len, written)))  # UTF-8 takes no more
        most += sum(map(len, before.values())) + sum(map(len, written.values()))
        if most <= self.max_bytes and len(before) + len(written) <= self.max_keys:
            return  # as nearly always, and at little cost
        if not written:
            return
        grown = {key: _item(key, blob) - _size_at(key, before) for key, blob in written.items()}
        old = byte_size(before)
        gone = [key for key in removed if key in before and key not in written]
        size = old + sum(grown.values()) - sum(_size_at(key, before) for key in gone)
        if size > max(self.max_bytes, old):
            raise SessionTooLarge(max(grown, key=grown.__getitem__), size, self.max_bytes, "bytes")
        new = [key for key in written if key not in before]
        count = len(before) + len(new) - len(gone)
        if count > max(self.max_keys, len(before)):
            raise SessionTooLarge(new[-1], count, self.max_keys, "keys")


def rough_size(values: Encoded) -> int:
    """Return bytes that keys and values do not exceed, quickly."""
    return 4 * sum(map(len, values)) + sum(map(len, values.values()))


def byte_size(values: Encoded) -> int:
    """Return the bytes that keys and values come to."""
    return len("".join(values).encode()) + sum(map(len, values.values()))


def _item(key: str, blob: bytes) -> int:
    return len(key.encode()) + len(blob)


def _size_at(key: str, values: Encoded) -> int:
    return _item(key, values[key]) if key in values else 0
