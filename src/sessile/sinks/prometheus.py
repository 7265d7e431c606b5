"""Events as Prometheus metrics. Labels are words of the code: no id, user, address or other text.

``sinks.kinds`` knows those words, so every series is there, at zero, before the first event:
otherwise an alert on its increase would miss the first theft.
"""

from typing import ClassVar, Final

from sessile.errors import ConfigError, MissingExtra
from sessile.service.events import Event, Timed, Work
from sessile.sinks.kinds import KINDS, name_of, reason_of, reason_type

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.sinks.prometheus", "prometheus") from error

BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
)  # fmt: skip
"""Seconds: from a session in memory to a store past its time limit."""


class Prometheus:
    """A hook that counts events and measures what sessions cost.

    ``sessile_events_total{event, reason}`` counts; ``sessile_work_seconds{work, failed}`` is a
    histogram of opening and saving.

    Args:
        registry: where the metrics are registered; None for the process's own.
        prefix: begins their names; two hooks on one registry need two.

    Raises:
        ConfigError: the registry has metrics of these names, or the prefix makes no name.
    """

    timed: ClassVar[bool] = True

    __slots__ = ("_events", "_work")

    def __init__(self, registry: CollectorRegistry | None = None, prefix: str = "sessile") -> None:
        if not (prefix.isascii() and prefix.isidentifier()):
            raise ConfigError(f"prefix={prefix!r}: write letters, digits and _")
        registry = REGISTRY if registry is None else registry
        try:
            self._events = Counter(
                f"{prefix}_events",
                "What happened to sessions, and why.",
                ("event", "reason"),
                registry=registry,
            )
            self._work = Histogram(
                f"{prefix}_work_seconds",
                "How long the sessions of one request took to open and to save.",
                ("work", "failed"),
                buckets=BUCKETS,
                registry=registry,
            )
        except ValueError as error:
            raise ConfigError(
                f"prefix={prefix!r} is taken: make one Prometheus() for a registry, or give each "
                "a prefix of its own"
            ) from error
        self._begin_at_zero()

    def __call__(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Timed):
            self._work.labels(event.work.name, _yes_or_no(event.failed)).observe(event.took)
        else:
            self._events.labels(name_of(event), reason_of(event)).inc()

    def __repr__(self) -> str:
        return "<Prometheus>"

    def _begin_at_zero(self) -> None:
        for kind in KINDS:
            reasons = reason_type(kind)
            for reason in [""] if reasons is None else reasons.__members__:
                if kind is not Timed:
                    self._events.labels(kind.__name__, reason)
        for work in Work:
            for failed in (False, True):
                self._work.labels(work.name, _yes_or_no(failed))


def _yes_or_no(failed: bool) -> str:
    return "yes" if failed else "no"
