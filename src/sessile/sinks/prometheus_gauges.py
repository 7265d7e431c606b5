"""Gauges of a store, for Prometheus. ``sinks.prometheus`` counts what happens to sessions."""

from collections.abc import Iterator

from sessile.errors import ConfigError, MissingExtra
from sessile.service.sessions import Sessions
from sessile.sinks.measures import MEASURES, Gauges, Measure

try:
    from prometheus_client import REGISTRY, CollectorRegistry
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.sinks.prometheus_gauges", "prometheus") from error


class PrometheusGauges(Collector):
    """Collects the figures of a store, and of the near cache before it.

    ``sessile_records`` and ``sessile_store_bytes{of}``; ``sessile_near_copies``,
    ``sessile_near_hits_total``, ``sessile_near_misses_total`` and
    ``sessile_near_beat_age_seconds`` where there is a near cache. While the store does not
    answer its figures are absent, and the others are there.

    Args:
        sessions: whose.
        registry: where it is registered; None for the process's own.
        prefix: begins the names; two on one registry need two.

    Raises:
        ConfigError: the registry has metrics of these names, or the prefix makes no name.
    """

    def __init__(
        self, sessions: Sessions, registry: CollectorRegistry | None = None, prefix: str = "sessile"
    ) -> None:
        if not (prefix.isascii() and prefix.isidentifier()):
            raise ConfigError(f"prefix={prefix!r}: write letters, digits and _")
        self._prefix = prefix
        self._gauges = Gauges(sessions)
        try:
            (REGISTRY if registry is None else registry).register(self)
        except ValueError as error:
            raise ConfigError(
                f"prefix={prefix!r} is taken: make one PrometheusGauges() for a registry, or give "
                "each a prefix of its own"
            ) from error

    def describe(self) -> Iterator[Metric]:
        """Yield the names; the store is not asked for that."""
        return map(self._family, MEASURES)

    def collect(self) -> Iterator[Metric]:
        """Yield what is known now."""
        for one in self._gauges:
            family = self._family(one.measure)
            labels = [] if one.extent is None else [one.extent.value]
            family.add_metric(labels, one.value)
            yield family

    def __repr__(self) -> str:
        return "<PrometheusGauges>"

    def _family(self, measure: Measure) -> CounterMetricFamily | GaugeMetricFamily:
        family = CounterMetricFamily if measure.only_grows else GaugeMetricFamily
        labels = ["of"] if measure.has_extent else []
        return family(f"{self._prefix}_{measure.name}", measure.says, labels=labels)
