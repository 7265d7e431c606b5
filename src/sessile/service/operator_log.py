"""What the log says by itself, without a hook: failures, and what an attack looks like.

``service.context`` hands over every event; those of ``LINES`` leave a line, one a minute of each
kind. ``sessile.sinks.jsonlines`` logs them all.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sessile.core.carrier import Carrier, CookieCarrier
from sessile.core.plain_http import loses
from sessile.core.request import Request
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.errors import LostRace, StoreUnavailable, TokenNeeded
from sessile.service.events import (
    CrossSite,
    Event,
    LimitReached,
    Malformed,
    Mismatched,
    Replayed,
    Work,
)
from sessile.wire.log import Severity, log_line
from sessile.wire.throttle import Throttle

_STEADY: Final[Seconds] = 5.0
"""How long a store has to fail nobody before it works again: a part of it may be gone."""


def _tell_replay(event: Replayed) -> str:
    return (
        f"a used ticket of session {event.session} came back{_from(event)}, as from a thief, so "
        "the session was ended, or locked if the policy says so; "
        f"await sessions.evidence({event.session!r}) tells more"
    )


def _tell_mismatch(event: Mismatched) -> str:
    return (
        f"another client{_from(event)} than its own came with the ticket of session "
        f"{event.session}; by the policy the answer is to: {event.reaction.value}"
    )


def _tell_cross_site(event: CrossSite) -> str:
    where = ascii(event.origin[:256])
    sent = f"from {where}" if event.origin else "without an Origin"
    trusted = where if event.origin else "'https://...'"
    return (
        f"a request that may change something came from another site, {sent}, and was answered "
        "with 403. If that is your own site, as behind a proxy that rewrites Host, or one you "
        f"trust, write Sessions(origins=Origins(trusted=[{trusted}]))"
    )


def _tell_malformed(event: Malformed) -> str:
    what = "values that are none" if event.keys else "a record that does not prove genuine"
    return (
        f"{what}, so whoever comes for it is logged out: these secrets (or the key file) are not "
        "those it was stored under, or sealing was switched, or another version stored it, or "
        "somebody wrote into the store. The event Malformed names each"
    )


def _tell_limit(event: LimitReached) -> str:  # noqa: ARG001  (who it was is for hooks)
    return (
        "a login was refused with 403, because its user has as many sessions as the policy "
        "allows; limit= says how many, on_limit= what happens beyond"
    )


LINES: Final[Mapping[type[Event], Callable[[Any], str]]] = MappingProxyType(
    {
        Replayed: _tell_replay,
        Mismatched: _tell_mismatch,
        CrossSite: _tell_cross_site,
        Malformed: _tell_malformed,
        LimitReached: _tell_limit,
    }
)
"""The events that leave a line, each a WARNING, and its words. No secret, no user, no value."""


class OperatorLog:
    """The lines of one ``Sessions``, in the logger ``sessile``.

    Args:
        store: its name, without credentials.
        clock: seconds since 1970.

    Attributes:
        failing: since when the store fails, when it is asked and when it is written.
    """

    __slots__ = ("_clock", "_failed", "_store", "_throttle", "_told_lost", "failing")

    def __init__(self, store: str, clock: Callable[[], Instant]) -> None:
        self._store = store
        self._clock = clock
        self._throttle = Throttle(clock)
        self._told_lost = False
        self.failing: dict[Work, Instant] = {}
        self._failed: dict[Work, Instant] = {}  # the last time

    def tell(self, event: Event) -> None:
        """Log an event of ``LINES``."""
        kind = type(event)
        self._log(Severity.WARNING, kind, lambda: f"{self._store}: {LINES[kind](event)}")

    def tell_failure(self, work: Work, error: StoreUnavailable | LostRace) -> None:
        """Log that the store fails requests: when it begins, and while it goes on."""
        self._failed[work] = now = self._clock()
        self.failing.setdefault(work, now)
        why = error.why if isinstance(error, StoreUnavailable) else str(error)
        self._log(
            Severity.ERROR,
            work,
            lambda: f"{self._store} is unavailable: {why}; requests that need it get 503",
        )

    def tell_readers_served(self, within: Seconds) -> None:
        """Log that readers are served from copies while the store is away."""
        self._log(
            Severity.WARNING,
            "readers",
            lambda: (
                f"{self._store}: until it answers again, and for {within:.0f} s at most after it "
                "was last heard of, readers are served from copies, as the policy says; whatever "
                "would be stored gets 503"
            ),
        )

    def tell_recovery(self, work: Work) -> None:
        """Log that the store does again what it had failed to do, if it had, and fails nobody."""
        now = self._clock()
        if 0 <= now - self._failed.get(work, -_STEADY) < _STEADY:
            return
        began = self.failing.pop(work, None)
        if began is not None:
            spent = now - began
            self._log(
                Severity.WARNING,
                (work, "recovery"),
                lambda: (
                    f"{self._store} works again, {spent:.0f} s after it first failed to "
                    f"{work.value}"
                ),
            )

    def tell_hook_failure(self, hook: object, error: BaseException) -> None:
        """Log that a hook failed; its event concerned a request that must not suffer for it."""
        name = getattr(hook, "__qualname__", type(hook).__qualname__)
        words = f"the hook {name} failed with {type(error).__qualname__}; the request went on"
        self._log(Severity.ERROR, ("hook", name), lambda: words)

    def tell_unwatched(self, error: Exception) -> None:
        """Log that the store could not be asked whether the sessions of open sockets live."""
        why = error.why if isinstance(error, StoreUnavailable) else type(error).__qualname__
        self._log(
            Severity.WARNING,
            "unwatched",
            lambda: (
                f"{self._store} cannot say whether the sessions of open WebSockets and streams "
                f"live: {why}; they stay open, and it is asked again"
            ),
        )

    def tell_untold(self, error: Exception) -> None:
        """Log that a worker can tell nothing of itself, for another reason than an outage."""
        words = (
            f"{self._store}: this server's row there is neither read nor written, so a drain does "
            f"not reach it: {type(error).__qualname__}"
        )
        self._log(Severity.ERROR, "untold", lambda: words)

    def tell_foreign(self) -> None:
        """Log that what stands where a worker tells of itself is somebody else's."""
        words = (
            f"{self._store}: this server's row there, or that with the names of all, was stored "
            "under other secrets and is left alone, so a drain does not reach it: give each "
            "application a store, or a prefix, of its own, and all servers of one the same secrets"
        )
        self._log(Severity.ERROR, "foreign", lambda: words)

    def tell_ahead(self, key: Key) -> None:
        """Log that a session was refused because the clock that made it was far ahead."""
        self._log(
            Severity.WARNING,
            "ahead",
            lambda: (
                f"{self._store}: session {key} is from more than a day ahead of this server's "
                "clock, and opens nothing: that clock or this one is, or was, wrong; synchronise "
                "both with NTP"
            ),
        )

    def tell_no_token(self, *, came: bool) -> None:
        """Log that a request had no CSRF token of its session.

        Args:
            came: whether it had one at all.
        """
        advice = "put csrf_token() into the form field, or the header"
        if came:
            advice = (
                "its page is older than the login or logout, the client sent another cookie or "
                "none, or this server has other secrets than the one that made it"
            )
        words = f"a request was refused with 403: {TokenNeeded.explain(came=came)}; {advice}"
        self._log(Severity.WARNING, ("token", came), lambda: words)

    def tell_if_lost(self, carrier: Carrier, request: Request) -> None:
        """Log, once, that a ticket was handed over in a cookie that does not come back."""
        if self._told_lost or not isinstance(carrier, CookieCarrier):
            return
        if loses(carrier.cookie, request):
            self._told_lost = True
            log_line(
                Severity.WARNING,
                f"the cookie {carrier.cookie.full_name} is Secure and was set in an answer over "
                f"http, to a client of {request.header('host')[:256]!a}, which will not send "
                "it back, so no login lasts: serve https; for http in development write "
                "Sessions(cookie=Cookie(secure=False)); a test client takes "
                'base_url="https://testserver"; a proxy that speaks https to the browser has to '
                "send X-Forwarded-Proto",
            )

    def _log(self, level: Severity, kind: object, words: Callable[[], str]) -> None:
        left_out = self._throttle.admit(kind)
        if left_out is None:
            return
        more = f" ({left_out} more like it since the last such line)" if left_out else ""
        log_line(level, words() + more)


def _from(event: Event) -> str:
    address = "" if event.client is None else event.client.address
    return f" from {address}" if address else ""
