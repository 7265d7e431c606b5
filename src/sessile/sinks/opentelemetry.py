"""Events in OpenTelemetry traces: a span for each ``Timed``, a span event for each other one.

The request's own span, by whatever instruments the server, is the parent.
"""

from typing import ClassVar, Final

from sessile.core.value import Seconds
from sessile.errors import MissingExtra
from sessile.service.events import Event, Timed
from sessile.sinks.kinds import name_of, reason_of

try:
    from opentelemetry import trace
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.sinks.opentelemetry", "opentelemetry") from error

_NANO: Final = 1_000_000_000


class OpenTelemetry:
    """A hook that puts events into the current trace.

    ``sessile.open`` and ``sessile.save`` are spans; every other event is a span event of the
    current span, as in ``sessile.LoggedIn``, where there is one. Attributes: ``sessile.session``
    (the id) and ``sessile.reason``; never a user, an address or any text that a client sent.

    Args:
        tracer_provider: where spans go; None for the global one, even when it is set later.
    """

    timed: ClassVar[bool] = True

    __slots__ = ("_tracer",)

    def __init__(self, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("sessile", tracer_provider=tracer_provider)

    def __call__(self, event: Event) -> None:
        """Add one event to the trace."""
        if isinstance(event, Timed):
            self._trace(event)
            return
        current = trace.get_current_span()
        if current.is_recording():
            current.add_event(f"sessile.{name_of(event)}", _attributes(event), _nanos(event.at))

    def __repr__(self) -> str:
        return "<OpenTelemetry>"

    def _trace(self, event: Timed) -> None:
        start = _nanos(event.at)
        span = self._tracer.start_span(
            f"sessile.{event.work.value}", attributes=_attributes(event), start_time=start
        )
        if event.failed:
            span.set_status(trace.StatusCode.ERROR)
        span.end(start + _nanos(event.took))


def _attributes(event: Event) -> dict[str, str]:
    known = {"sessile.session": event.session, "sessile.reason": reason_of(event)}
    return {name: text for name, text in known.items() if text}


def _nanos(time: Seconds) -> int:
    return int(time * _NANO)
