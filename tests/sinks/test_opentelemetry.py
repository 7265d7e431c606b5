"""Events in a trace: spans of work under the request's span, and the rest as its span events."""

import subprocess
import sys

import pytest
from opentelemetry.trace import StatusCode

from sessile.service import events
from sessile.service.events import End, Timed, Work
from sessile.sinks.opentelemetry import OpenTelemetry
from sinks.hostile import NOW

ID = "iLI9UbL0Zm4BcQESZuYy"
NANO = 1_000_000_000


def test_work_is_a_span_of_the_request(trace):
    """A ``Timed`` is a child of the current span, with the times that the event tells."""
    with trace.current():
        OpenTelemetry(trace.provider)(Timed(NOW, ID, Work.OPEN, 0.25))
    span, request = trace.spans["sessile.open"], trace.spans["request"]

    assert span.parent.span_id == request.context.span_id
    assert span.start_time == int(NOW * NANO)
    assert span.end_time - span.start_time == NANO // 4
    assert dict(span.attributes) == {"sessile.session": ID}
    assert span.status.status_code is StatusCode.UNSET


def test_failed_work_is_an_error(trace):
    """Work that raised has the status of an error, without the error's words."""
    OpenTelemetry(trace.provider)(Timed(NOW, None, Work.SAVE, 0.5, failed=True))
    status = trace.spans["sessile.save"].status

    assert (status.status_code, status.description) == (StatusCode.ERROR, None)


def test_other_events_are_events_of_the_current_span(trace):
    """What happened to sessions within a request stands in its span, at its time."""
    with trace.current():
        OpenTelemetry(trace.provider)(events.Ended(NOW, ID, End.LOGOUT, "alice"))
    (added,) = trace.spans["request"].events

    assert added.name == "sessile.Ended"
    assert added.timestamp == int(NOW * NANO)
    assert dict(added.attributes) == {"sessile.session": ID, "sessile.reason": "LOGOUT"}


def test_without_a_span_events_are_in_no_trace(trace):
    """Where nothing traces the request, an event opens no trace of its own."""
    OpenTelemetry(trace.provider)(events.Ended(NOW, ID, End.LOGOUT, "alice"))

    assert trace.spans == {}


@pytest.mark.parametrize("work", Work)
def test_each_work_has_a_name(work, trace):
    """The names of the spans are those of the work."""
    OpenTelemetry(trace.provider)(Timed(NOW, ID, work, 0.0))

    assert set(trace.spans) == {f"sessile.{work.value}"}


def test_global_provider_may_be_set_later():
    """Without a provider the spans go where the application later says."""
    script = (
        "from sessile.service.events import Timed, Work\n"
        "from sessile.sinks.opentelemetry import OpenTelemetry\n"
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n"
        "hook, spans = OpenTelemetry(), InMemorySpanExporter()\n"
        "provider = TracerProvider(shutdown_on_exit=False)\n"
        "provider.add_span_processor(SimpleSpanProcessor(spans))\n"
        "trace.set_tracer_provider(provider)\n"
        "hook(Timed(0.0, None, Work.OPEN, 1.0))\n"
        "print(*(span.name for span in spans.get_finished_spans()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "sessile.open\n"
