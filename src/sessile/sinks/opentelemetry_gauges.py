"""How many sessions there are, as OpenTelemetry metrics. ``sinks.opentelemetry`` traces events."""

from collections.abc import Iterator
from functools import partial

from sessile.errors import MissingExtra
from sessile.service.sessions import Sessions
from sessile.sinks.measures import MEASURES, Gauges, Measure

try:
    from opentelemetry import metrics
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.sinks.opentelemetry_gauges", "opentelemetry") from error


class OpenTelemetryGauges:
    """Observable instruments for the figures of a store, and of the near cache before it.

    ``sessile.records`` and ``sessile.store.bytes``; ``sessile.near.copies``, ``.hits``,
    ``.misses`` and ``.heartbeat_age``. What is not known just now is not observed.

    Args:
        sessions: whose.
        meter_provider: where metrics go; None for the global one, even when it is set later.

    Raises:
        ConfigError: these are no sessions.
    """

    __slots__ = ("_gauges",)

    def __init__(
        self, sessions: Sessions, meter_provider: metrics.MeterProvider | None = None
    ) -> None:
        self._gauges = Gauges(sessions)
        meter = metrics.get_meter("sessile", meter_provider=meter_provider)
        for one in MEASURES:
            create = (
                meter.create_observable_counter if one.only_grows else meter.create_observable_gauge
            )
            create(f"sessile.{one.dotted}", [partial(self._observe, one)], one.unit, one.says)

    def __repr__(self) -> str:
        return "<OpenTelemetryGauges>"

    def _observe(
        self,
        measure: Measure,
        options: metrics.CallbackOptions,  # noqa: ARG002
    ) -> Iterator[metrics.Observation]:
        for found in self._gauges.of(measure):
            attributes = {} if found.extent is None else {"sessile.of": found.extent.value}
            yield metrics.Observation(found.value, attributes)
