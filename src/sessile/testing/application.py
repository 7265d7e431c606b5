"""Test an application: log somebody in past its login page, move the clock, see what was told.

``plugin`` gives it to pytest as the fixture ``session_tester``.
"""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.value import Value
from sessile.service.commit import commit
from sessile.service.events import Event
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.testing.clock import FakeClock


class SessionTester:
    """The sessions of an application, in the hands of one test: ``with SessionTester(sessions)``.

    Meanwhile they go by a clock that moves when it is told to. Cookies are what test clients take:
    a dict of name and value.

    Args:
        sessions: the application's own, over any store.

    Attributes:
        clock: begins at the real time; ``clock.advance(minutes(31))``.
        events: what was told so far, the oldest first.
    """

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.events: list[Event] = []
        self._context = context_of(sessions)
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
            client: a test client of Starlette, httpx, Flask or Django that is to have the cookie.
        """

        def begin(session: Session) -> None:
            session.login(user, assurance=assurance, factors=factors, remember=remember)
            session.update(values or {})

        cookie = self._ask({}, begin)[1]
        self._ask(cookie, dict)
        self._give(client, cookie)
        return cookie

    def begin(self, values: Mapping[str, Value], *, client: object = None) -> dict[str, str]:
        """Return the cookie of a new session of nobody that holds those values."""
        cookie = self._ask({}, lambda session: session.update(values))[1]
        self._give(client, cookie)
        return cookie

    def user(self, cookies: Mapping[str, str]) -> str | None:
        """Return who is logged in with these cookies."""
        user: str | None = self._ask(cookies, lambda session: session.user)[0]
        return user

    def values(self, cookies: Mapping[str, str]) -> dict[str, Any]:
        """Return the values in the session of these cookies."""
        values: dict[str, Any] = self._ask(cookies, dict)[0]
        return values

    def events_of(self, kind: type[Event]) -> list[Event]:
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

    def _ask(self, cookies: Mapping[str, str], act: Any) -> tuple[Any, dict[str, str]]:
        """Make a request of a client that says nothing of itself, so that any may follow it."""
        name = self.sessions.cookie.full_name
        sent = f"{name}={cookies[name]}" if name in cookies else ""
        transaction = run(open_transaction(self._context, PlainRequest({"cookie": sent})))
        result = act(Session(transaction.state))
        given = run(commit(transaction))
        ticket = given[-1][1].partition(";")[0].partition("=")[2] if given else ""
        return result, {name: ticket}
