"""A log, a registry and a trace to read back, each of one test alone."""

import io
import json
import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

LOGGER = "sessile.events"


class Log:
    """What a handler of the logger wrote."""

    def __init__(self):
        self._stream = io.StringIO(newline="")
        self.handler = logging.StreamHandler(self._stream)
        self.handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    @property
    def text(self):
        """All of it."""
        return self._stream.getvalue()

    def only(self):
        """The one line that was written, as JSON."""
        assert self.text.count("\n") == 1
        return json.loads(self.text.partition(" ")[2])


@pytest.fixture
def log():
    log = Log()
    logger = logging.getLogger(LOGGER)
    logger.addHandler(log.handler)
    logger.setLevel(logging.INFO)
    yield log
    logger.removeHandler(log.handler)
    logger.setLevel(logging.NOTSET)


class Metrics(CollectorRegistry):
    """A registry that shows what a scrape would."""

    def scrape(self):
        return generate_latest(self).decode()

    def series(self):
        """The name and labels of every sample."""
        samples = (sample for metric in self.collect() for sample in metric.samples)
        return {(sample.name, *sorted(sample.labels.items())) for sample in samples}


@pytest.fixture
def metrics():
    return Metrics()


class Trace:
    """A provider, and the spans that ended."""

    def __init__(self):
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def current(self, name="request"):
        """Be within a span, as an instrumented server is."""
        return self.provider.get_tracer("server").start_as_current_span(name)

    @property
    def spans(self):
        """Ended spans by name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def trace():
    trace = Trace()
    yield trace
    trace.provider.shutdown()
