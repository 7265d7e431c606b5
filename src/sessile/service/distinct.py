"""Count how many different texts there are, in memory that does not grow with them."""

import hashlib
import math
from typing import Final

_EXACT: Final = 1 << 16
"""Texts that are told apart one by one."""

_BITS: Final = 1 << 24
"""Of the table in which more of them leave a mark each: 2 MiB, right to a thousandth."""


class DistinctCount:
    """Counts texts, each once: exactly while they are few, and else by linear counting.

    Each text marks one of many bits, by its digest. How many bits are left unmarked tells how many
    texts there were, for it is known how often two mark the same one (Whang et al., 1990).
    """

    __slots__ = ("_few", "_marks")

    def __init__(self) -> None:
        self._few: set[int] = set()
        self._marks = bytearray()

    def add(self, text: str) -> None:
        """Count a text, unless it was counted."""
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        number = int.from_bytes(digest)
        if self._marks:
            self._mark(number)
            return
        self._few.add(number)
        if len(self._few) > _EXACT:
            self._marks = bytearray(_BITS >> 3)
            for each in self._few:
                self._mark(each)
            self._few.clear()

    def _mark(self, number: int) -> None:
        self._marks[(number >> 3) % (_BITS >> 3)] |= 1 << (number & 7)

    @property
    def is_estimate(self) -> bool:
        """Whether there were too many to tell them apart one by one."""
        return bool(self._marks)

    @property
    def number(self) -> int:
        """How many different ones there were."""
        if not self._marks:
            return len(self._few)
        unmarked = max(_BITS - int.from_bytes(self._marks).bit_count(), 1)
        return round(-_BITS * math.log(unmarked / _BITS))
