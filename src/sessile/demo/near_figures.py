"""How the near cache of one server does, in figures and in words. Pure; ``fleet`` passes it on."""

from typing import Self

import msgspec

from sessile.core.value import Seconds
from sessile.stores.near import NearStore


class NearFigures(msgspec.Struct, frozen=True):
    """The figures of one near cache.

    Attributes:
        hits: how many reads it served.
        reads: how many there were.
        beat_age: seconds since the last heartbeat of the store's feed; None while that is broken.
        kept: how many sessions there are copies of.
    """

    hits: int
    reads: int
    beat_age: Seconds | None
    kept: int = 0

    @classmethod
    def of(cls, near: NearStore) -> Self:
        """Return the figures of a near cache."""
        return cls(near.hits, near.hits + near.misses, near.beat_age, near.copies)

    @property
    def copies(self) -> str:
        """How many of the reads were served from copies."""
        return f"{self.hits} of {self.reads}"

    @property
    def sessions(self) -> str:
        """How many sessions there are copies of."""
        return f"{self.kept} session{'' if self.kept == 1 else 's'}"

    @property
    def heard(self) -> str:
        """When the feed was heard last."""
        return "silent" if self.beat_age is None else f"{self.beat_age * 1000:.0f} ms ago"
