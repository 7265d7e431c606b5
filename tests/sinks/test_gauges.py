"""Gauges of a store and of a near cache, as a scrape of a registry and a meter has them."""

import asyncio
import os
import threading
import time

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry

from harness.backends import BACKENDS, as_params
from sessile import Sessions
from sessile.core.flow import run
from sessile.errors import ConfigError, StoreUnavailable
from sessile.service.sessions import context_of
from sessile.sinks.latest_size import FRESH, OLDEST
from sessile.sinks.opentelemetry_gauges import OpenTelemetryGauges
from sessile.sinks.prometheus import Prometheus
from sessile.sinks.prometheus_gauges import PrometheusGauges
from sessile.stores.contract import Capability, Extent, StoreSize
from sessile.stores.memory import MemoryStore
from sessile.stores.near import NearStore
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Blocking
from sessile.testing.promises.stories import puts, reads
from sessile.testing.sample import record
from sessile.testing.world import World

SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
PATIENCE = 60.0


class Counted(MemoryStore):
    """A store that counts how often it is asked how large it is, and may be away."""

    def __init__(self):
        super().__init__()
        self.asked = 0
        self.is_away = False

    async def size(self):
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable(self.name, "it is away")
        return await super().size()


class Shared(MemoryStore):
    """A store that knows no more than what its whole server has, as memcached."""

    async def size(self):
        return StoreSize(7, 700, records_of=Extent.SERVER, bytes_of=Extent.SERVER)


@pytest.fixture
def clock():
    """The timer of the sessions under test, which stands still unless it is moved."""
    return FakeClock()


@pytest.fixture
def gauges(metrics, clock):
    """Register the gauges of a store, on that timer; return its scrape, as {name: value}."""

    def register(store):
        sessions = Sessions(store=store, secrets=[SECRET])
        context_of(sessions).timer = clock
        PrometheusGauges(sessions, metrics)
        return lambda: scrape(metrics)

    return register


def scrape(registry):
    """Return the samples of a scrape, each under its name, and with its labels if it has any."""
    samples = (sample for metric in registry.collect() for sample in metric.samples)
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for sample in samples
    }


@pytest.mark.parametrize("backend", as_params(BACKENDS))
def test_every_store_has_gauges(backend, tmp_path, metrics):
    """A scrape has what the store itself says: sessions where it can tell them, bytes always."""
    place = backend.place(tmp_path)
    sessions = Sessions(place.url(), secrets=[SECRET])
    PrometheusGauges(sessions, metrics)
    for name in "abc":
        run(context_of(sessions).store.create(record(name)))
    found = scrape(metrics)
    sessions.sync.close()
    place.leave()

    lists = Capability.SCAN in backend.store.capabilities
    assert found.get("sessile_records") == (3 if lists else None)
    (taken,) = (value for name, value in found.items() if name.startswith("sessile_store_bytes "))
    assert taken > 0


def test_figures_of_a_server_that_is_shared_are_no_sessions(gauges):
    """Items of the whole server, which may be anybody's, are not called sessions."""
    assert gauges(Shared())() == {"sessile_store_bytes server": 700}


def test_store_is_not_asked_with_every_scrape(gauges, clock):
    """Within some seconds scrapes share one answer; then the store is asked again."""
    store = Counted()
    look = gauges(store)
    run(store.create(record("a")))
    for _ in range(5):
        assert look()["sessile_records"] == 1
    run(store.create(record("b")))
    clock.advance(FRESH + 1)

    assert look()["sessile_records"] == 2
    assert store.asked == 2


def test_registration_asks_no_store(gauges):
    """An application starts while its store is away."""
    store = Counted()
    gauges(store)

    assert store.asked == 0


def test_store_that_does_not_answer_has_no_figures(gauges, clock):
    """While it is away its figures are absent, what the process knows stays, and all come back."""
    store = Counted()
    look = gauges(NearStore(store, 10))
    assert look()["sessile_records"] == 0
    store.is_away = True
    clock.advance(FRESH + 1)
    away = look()
    assert "sessile_records" not in away
    assert not any(name.startswith("sessile_store_bytes") for name in away)
    assert away["sessile_near_misses_total"] == 0
    store.is_away = False
    clock.advance(FRESH + 1)

    assert look()["sessile_records"] == 0


def test_error_of_a_store_breaks_no_scrape(gauges, metrics):
    """Whatever a store does wrong, the others' metrics are there."""

    class Wrong(MemoryStore):
        async def size(self):
            raise ValueError("nobody handles it")

    Prometheus(metrics)
    found = gauges(Wrong())()

    assert "sessile_records" not in found
    assert "sessile_events_total Created " in found


def test_closed_store_has_no_figures(metrics):
    """After the application has closed its sessions a scrape still works."""
    sessions = Sessions("memory://", secrets=[SECRET])
    PrometheusGauges(sessions, metrics)
    sessions.sync.close()

    assert scrape(metrics) == {}


def test_event_loop_does_not_wait_for_the_store(gauges, monkeypatch):
    """On the loop's own thread a scrape begins to ask, and the next one has the answer."""
    held, asked, waits = threading.Event(), threading.Event(), []

    class Watched(threading.Thread):
        def join(self, timeout=None):
            waits.append(self.name)
            super().join(timeout)

    monkeypatch.setattr(threading, "Thread", Watched)

    class Slow(Counted):
        async def size(self):
            asked.set()
            held.wait(PATIENCE)
            return await super().size()

    look = gauges(Slow())

    async def scrape_twice():
        first = look()
        assert await asyncio.to_thread(asked.wait, PATIENCE)
        held.set()
        async with asyncio.timeout(PATIENCE):
            while not (second := look()):
                await asyncio.to_thread(time.sleep, 0.01)
        return first, second

    first, second = asyncio.run(scrape_twice())

    assert first == {}
    assert second["sessile_records"] == 0
    assert "sessile-size" not in waits


def test_old_answer_is_not_told(gauges, clock):
    """A store that never comes back is not described by what it said long ago."""
    hold = threading.Event()

    class Hanging(Counted):
        async def size(self):
            if self.asked:
                hold.wait(PATIENCE)
            return await super().size()

    look = gauges(Hanging())
    assert look()["sessile_records"] == 0
    clock.advance(OLDEST + 1)

    async def scrape_on_a_loop():
        return look()

    assert asyncio.run(scrape_on_a_loop()) == {}
    hold.set()


def test_near_cache_has_its_figures(metrics):
    """Hits, misses and copies are told, and how old the feed's last heartbeat is."""
    store = NearStore(MemoryStore(), 10)
    world = World(store, Blocking())
    PrometheusGauges(world.sessions, metrics)
    assert "sessile_near_beat_age_seconds" not in scrape(metrics)
    world.ask(puts(v=1))
    end = time.monotonic() + PATIENCE
    while not store.hits and time.monotonic() < end:
        world.ask(reads)
        time.sleep(0.01)
    found = scrape(metrics)
    world.sessions.sync.close()

    assert found["sessile_near_copies"] == 1
    assert found["sessile_near_hits_total"] == 1
    assert found["sessile_near_misses_total"] == store.misses > 0
    assert 0 <= found["sessile_near_beat_age_seconds"] < PATIENCE


def test_store_without_a_near_cache_tells_of_none(gauges):
    """No figure stands at zero for what is not there."""
    assert not any("near" in name for name in gauges(MemoryStore())())


@pytest.mark.parametrize("prefix", ["sessile", "sess ile"])
def test_names_of_gauges_that_cannot_be_registered_are_told(prefix, metrics):
    """A second collector under one prefix, or a prefix that makes no name, is an error at start."""
    sessions = Sessions("memory://", secrets=[SECRET])
    PrometheusGauges(sessions, metrics)

    with pytest.raises(ConfigError, match="prefix="):
        PrometheusGauges(sessions, metrics, prefix)


def test_gauges_stand_beside_the_hook(metrics):
    """Both fit one registry under one prefix."""
    Prometheus(metrics)
    PrometheusGauges(Sessions("memory://", secrets=[SECRET]), metrics)

    assert {"sessile_records", "sessile_store_bytes store"} < scrape(metrics).keys()


def test_gauges_need_sessions():
    """What is no Sessions is told at start."""
    with pytest.raises(ConfigError, match="is no Sessions"):
        PrometheusGauges("memory://", CollectorRegistry())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_worker_asks_for_itself(metrics):
    """Gauges that were made before a fork work in the child, whatever the parent was doing."""
    hold = threading.Event()

    class Held(Counted):
        async def size(self):
            hold.wait(PATIENCE)
            return await super().size()

    sessions = Sessions(store=Held(), secrets=[SECRET])
    PrometheusGauges(sessions, metrics)

    async def begin():
        return scrape(metrics)

    asyncio.run(begin())  # a thread of the parent's waits for its store
    child = os.fork()
    if child == 0:
        context_of(sessions).store = Shared()
        os._exit(scrape(metrics) != {"sessile_store_bytes server": 700})
    _, status = os.waitpid(child, 0)
    hold.set()

    assert status == 0


def observed(reader):
    """Return what a reader of OpenTelemetry's collects, as {name: (value, attributes)}."""
    data = reader.get_metrics_data()
    if data is None:
        return {}
    return {
        metric.name: (metric.data.data_points[0].value, dict(metric.data.data_points[0].attributes))
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.data.data_points
    }


def test_opentelemetry_observes_the_same():
    """The figures are instruments with units; the near cache's are there where it is."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    store = NearStore(MemoryStore(), 10)
    OpenTelemetryGauges(Sessions(store=store, secrets=[SECRET]), provider)
    run(store.create(record("a")))
    found = observed(reader)
    provider.shutdown()
    run(store.close())

    assert found["sessile.records"] == (1, {})
    value, attributes = found["sessile.store.bytes"]
    assert value > 0
    assert attributes == {"sessile.of": "store"}
    assert found["sessile.near.misses"] == (0, {})
    assert "sessile.near.heartbeat_age" not in found


def test_opentelemetry_observes_nothing_of_a_store_that_is_away():
    """A reader collects the rest, and no error."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    store = Counted()
    store.is_away = True
    OpenTelemetryGauges(Sessions(store=store, secrets=[SECRET]), provider)
    found = observed(reader)
    provider.shutdown()

    assert found == {}
