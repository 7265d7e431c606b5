"""What gauges tell: of a store and of the near cache before it, when somebody scrapes.

``sinks.prometheus_gauges`` and ``sinks.opentelemetry_gauges`` tell it in their own words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sessile.service.sessions import Sessions, context_of
from sessile.sinks.latest_size import LatestSize
from sessile.stores.contract import Extent
from sessile.stores.near import NearStore


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure.

    Args:
        name: behind the prefix, as Prometheus has it; a counter without its ``_total``.
        dotted: the same for OpenTelemetry.
        unit: as UCUM writes it.
        says: what it is, in a sentence.
        only_grows: whether it is a counter.
        has_extent: whether it has the label ``of``.
    """

    name: str
    dotted: str
    unit: str
    says: str
    only_grows: bool = False
    has_extent: bool = False


@dataclass(frozen=True, slots=True)
class GaugeValue:
    """A figure, and its value at this moment.

    Args:
        measure: which figure.
        value: as it is now.
        extent: of what it is; None where there is nothing to tell apart.
    """

    measure: Measure
    value: float
    extent: Extent | None = None


RECORDS: Final = Measure(
    "records", "records", "{record}",
    "Records that are stored: sessions, and what is left of ended and expired ones.",
)  # fmt: skip
BYTES: Final = Measure(
    "store_bytes", "store.bytes", "By",
    "What the store takes, as it says itself: the sessions, their file, or the whole server.",
    has_extent=True,
)  # fmt: skip
COPIES: Final = Measure("near_copies", "near.copies", "{copy}", "Copies in the near cache.")
HITS: Final = Measure(
    "near_hits", "near.hits", "{hit}", "Requests that a copy served.", only_grows=True
)
MISSES: Final = Measure(
    "near_misses", "near.misses", "{miss}",
    "Requests for which there was no copy, or none that was good.", only_grows=True,
)  # fmt: skip
BEAT_AGE: Final = Measure(
    "near_beat_age_seconds", "near.heartbeat_age", "s",
    "Since the feed's last heartbeat; a copy is good for a second after it.",
)  # fmt: skip
MEASURES: Final = (RECORDS, BYTES, COPIES, HITS, MISSES, BEAT_AGE)
"""All there are."""


class Gauges:
    """The values of all figures of some sessions; what nobody knows just now is left out.

    Args:
        sessions: whose.

    Raises:
        ConfigError: these are no sessions.
    """

    __slots__ = ("_context", "_latest_size")

    def __init__(self, sessions: Sessions) -> None:
        self._context = context_of(sessions)
        self._latest_size = LatestSize(self._context)

    def __iter__(self) -> Iterator[GaugeValue]:
        """Yield each figure that is known."""
        size = self._latest_size()
        if size is not None and size.records_of is Extent.STORE:  # else others' may be among them
            yield GaugeValue(RECORDS, size.records)
        if size is not None and size.bytes is not None:
            yield GaugeValue(BYTES, size.bytes, size.bytes_of)
        near = self._context.near
        if near is not None:
            yield from _read_near(near)

    def of(self, measure: Measure) -> Iterator[GaugeValue]:
        """Yield one of them, if it is known."""
        return (one for one in self if one.measure is measure)


def _read_near(near: NearStore) -> Iterator[GaugeValue]:
    yield GaugeValue(COPIES, near.copies)
    yield GaugeValue(HITS, near.hits)
    yield GaugeValue(MISSES, near.misses)
    age = near.beat_age
    if age is not None:
        yield GaugeValue(BEAT_AGE, age)
