"""Test an application: log somebody in past its login page, move the clock, see what was told.

``plugin`` gives it to pytest as the fixture ``session_tester``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sessile.core.binding import AddressMatch, AgentMatch, Binding
from sessile.core.carrier import TICKET
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.value import Value
from sessile.errors import ConfigError
from sessile.service.commit import commit
from sessile.service.events import Event
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.testing.clock import FakeClock

E = TypeVar("E", bound=Event)

_ANY_CLIENT: Final = Binding(AddressMatch.IGNORE, AgentMatch.IGNORE)


class SessionTester:
    """The sessions of an application, in the hands of one test: ``with SessionTester(sessions)``.

    Meanwhile they go by a clock that moves when it is told to. Cookies are what test clients take:
    a dict of name and value.

    Args:
        sessions: the application's own, over any store.

    Raises:
        ConfigError: no cookie is among their carriers.

    Attributes:
        clock: begins at the real time; ``clock.advance(minutes(31))``.
        events: what was told so far, the oldest first.
    """

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.events: list[Event] = []
        self._context = context_of(sessions)
        if not self._context.carriers.cookies:
            raise ConfigError(
                "these sessions have no cookie, which is what a tester hands out: write "
                "Sessions(carriers=[..., Cookie()]) in the tests"
            )
        self.clock = FakeClock(self._context.clock())
        self._own = (self._context.clock, self._context.timer)
        self._hook = self.events.append

    def __enter__(self) -> Self:
        context = self._context
        context.clock = context.timer = self.clock
        context.listen(self._hook)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        context = self._context
        context.clock, context.timer = self._own
        context.unlisten(self._hook)

    def log_in(
        self,
        user: str,
        *,
        assurance: int = 1,
        factors: Sequence[str] = (),
        remember: bool = False,
        values: Mapping[str, Value] | None = None,
        client: object = None,
    ) -> dict[str, str]:
        """Return the cookie of a new session of that user, whose client has shown it.

        Args:
            user: as in ``session.login``.
            assurance: as there.
            factors: as there.
            remember: as there.
            values: what the session holds.
            client: a test client of Starlette, httpx or Flask that is to have the cookie; for any
                other WSGI application, an ``httpx.Client`` with an ``httpx.WSGITransport``.
        """

        def begin(session: Session) -> None:
            session.login(user, assurance=assurance, factors=factors, remember=remember)
            session.update(values or {})

        cookie = self._ask({}, begin)
        self._ask(cookie, dict)
        self._give(client, cookie)
        return cookie

    def begin(self, values: Mapping[str, Value], *, client: object = None) -> dict[str, str]:
        """Return the cookie of a new session of nobody that holds those values."""
        cookie = self._ask({}, lambda session: session.update(values))
        self._give(client, cookie)
        return cookie

    def user(self, cookies: Mapping[str, str]) -> str | None:
        """Return who is logged in with these cookies. A look changes nothing."""
        return self._look(cookies).user

    def values(self, cookies: Mapping[str, str]) -> dict[str, Any]:
        """Return the values in the session of these cookies. A look changes nothing."""
        return dict(self._look(cookies))

    def events_of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    def _give(self, client: Any, cookies: Mapping[str, str]) -> None:
        """Put a cookie where a client keeps those that answers set, and replace."""
        for name, value in cookies.items():
            if client is None:
                return
            if hasattr(client, "set_cookie"):  # werkzeug's
                client.set_cookie(name, value)
            elif hasattr(
                client, "base_url"
            ):  # httpx's: its jar takes a host without dots for local
                host = client.base_url.host
                place = host if "." in host else f"{host}.local"
                client.cookies.set(name, value, domain=place, path=self.sessions.cookie.path)
            else:
                client.cookies[name] = value

    def _look(self, cookies: Mapping[str, str]) -> Session:
        """Open a session as its own client would, whoever that is, and leave it as it is."""
        own = self._context.policy
        self._context.policy = replace(own, binding=_ANY_CLIENT)
        try:
            flow = open_transaction(self._context, self._request(cookies), passive=True)
            return Session(run(flow).state)
        finally:
            self._context.policy = own

    def _ask(self, cookies: Mapping[str, str], act: Callable[[Session], object]) -> dict[str, str]:
        """Make a request of a client that says nothing of itself, so that any may follow it."""
        transaction = run(open_transaction(self._context, self._request(cookies)))
        act(Session(transaction.state))
        given = run(commit(transaction))
        name, line = given[-1] if given else ("", "")
        ticket = line if name == TICKET else line.partition(";")[0].partition("=")[2]
        return {self.sessions.cookie.full_name: ticket}

    def _request(self, cookies: Mapping[str, str]) -> PlainRequest:
        name = self.sessions.cookie.full_name
        return PlainRequest({"cookie": f"{name}={cookies[name]}" if name in cookies else ""})
