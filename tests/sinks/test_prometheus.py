"""Events as metrics: counted by kind and reason, measured by work."""

import importlib
import sys

import pytest

from harness.imports import forget_modules
from sessile.errors import ConfigError, MissingExtra
from sessile.service import events
from sessile.service.events import End, Timed, Work
from sessile.sinks.prometheus import BUCKETS, Prometheus
from sinks.hostile import NOW

ID = "iLI9UbL0Zm4BcQESZuYy"


def count(metrics, event, reason=""):
    labels = {"event": event, "reason": reason}
    return metrics.get_sample_value("sessile_events_total", labels)


def test_events_are_counted_by_kind_and_reason(metrics):
    """Each event adds one to the series of its kind and reason."""
    hook = Prometheus(metrics)
    hook(events.LoggedIn(NOW, ID, "alice"))
    hook(events.Ended(NOW, ID, End.LOGOUT, "alice"))
    hook(events.Ended(NOW, ID, End.LOGOUT, "bob"))

    assert count(metrics, "LoggedIn") == 1
    assert count(metrics, "Ended", "LOGOUT") == 2
    assert count(metrics, "Ended", "REPLAY") == 0


def test_series_begin_at_zero(metrics):
    """The first theft is an increase: its series was there before, and so an alert fires."""
    Prometheus(metrics)

    assert count(metrics, "Replayed") == 0
    assert count(metrics, "Mismatched", "STEP_UP") == 0
    assert count(metrics, "Timed") is None


@pytest.mark.parametrize("failed", [False, True])
def test_work_is_measured(failed, metrics):
    """A ``Timed`` is an observation of its work, apart from those that failed."""
    hook = Prometheus(metrics)
    hook(Timed(NOW, ID, Work.SAVE, 0.003, failed))
    labels = {"work": "SAVE", "failed": "yes" if failed else "no"}

    assert metrics.get_sample_value("sessile_work_seconds_count", labels) == 1
    assert metrics.get_sample_value("sessile_work_seconds_sum", labels) == 0.003
    below = {**labels, "le": "0.0025"}
    assert metrics.get_sample_value("sessile_work_seconds_bucket", below) == 0
    assert list(BUCKETS) == sorted(BUCKETS)


def test_prefix_begins_every_name(metrics):
    """Two applications in one process share a registry under two prefixes."""
    Prometheus(metrics, "shop")
    Prometheus(metrics, "admin")
    begins = {series[0].partition("_")[0] for series in metrics.series()}

    assert begins == {"shop", "admin"}


def test_default_registry_is_the_process_s_own(monkeypatch, metrics):
    """Without a registry the metrics are where every other one of the process is."""
    monkeypatch.setattr("sessile.sinks.prometheus.REGISTRY", metrics)
    Prometheus()

    assert count(metrics, "Created") == 0


@pytest.mark.parametrize("prefix", ["sessile", "sess ile"])
def test_names_that_cannot_be_registered_are_told(prefix, metrics):
    """A second hook under one prefix, or a prefix that makes no name, is an error at start."""
    Prometheus(metrics)

    with pytest.raises(ConfigError, match="prefix="):
        Prometheus(metrics, prefix)


@pytest.mark.parametrize("end", ["", "_gauges"])
@pytest.mark.parametrize(
    ("extra", "module"), [("prometheus", "prometheus_client"), ("opentelemetry", "opentelemetry")]
)
def test_missing_library_names_the_extra(extra, module, end, monkeypatch):
    """Without its library a sink says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    forget_modules(monkeypatch, f"sessile.sinks.{extra}{end}")

    with pytest.raises(MissingExtra, match=rf"pip install 'sessile\[{extra}\]'"):
        importlib.import_module(f"sessile.sinks.{extra}{end}")
