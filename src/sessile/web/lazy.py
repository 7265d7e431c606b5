"""A session that opens itself when it is first touched, with no await: for ``web.wsgi`` and Flask.

``RequestSession`` is its life within one request, for whoever integrates a framework; the
application holds ``LazySession`` alone.
"""

from sessile.core.carrier import SessionHeaders
from sessile.core.flow import run
from sessile.core.request import Request
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.errors import LostRace, StoreUnavailable, TooLate
from sessile.service.alive import is_alive
from sessile.service.commit import begin_commit
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.service.transaction import Transaction
from sessile.web.headers import TEXT, Headers, with_session_headers
from sessile.web.late import FAILED, TOO_LATE, UNSEEN, late_change
from sessile.wire.log import log_late_permanent, log_refused_permanent


class RequestSession:
    """The session of one request: opened at its first touch, committed once, then closed.

    Args:
        sessions: the application's.
        request: what the request says; let go of with the last chance to open the session.
        passive: whether it is no sign of life.
        unrotated: whether it turns no ticket, and is handed none of the session it comes with.

    Attributes:
        sessions: the application's.
        touched: whether the answer depends on the session, be it open or refused.
        over: whether the answer is complete, so that nothing in it depends on a later look.
        outage: why the last attempt to open it failed; None when it did not.
    """

    __slots__ = (
        "_headers", "_late", "_passive", "_remember", "_request", "_state", "_transaction",
        "_unrotated", "outage", "over", "sessions", "touched",
    )  # fmt: skip

    def __init__(
        self,
        sessions: Sessions,
        request: Request,
        *,
        passive: bool = False,
        unrotated: bool = False,
    ) -> None:
        self.sessions = sessions
        self._request: Request | None = request
        self._passive = passive
        self._unrotated = unrotated
        self._transaction: Transaction | None = None
        self._state: SessionState | None = None
        self._headers: SessionHeaders = ()
        self._late: str | None = None
        self._remember: bool | None = None
        self.over = False
        self.touched = False
        self.outage: StoreUnavailable | LostRace | None = None

    @property
    def closed(self) -> bool:
        """Whether changes are refused: it is saved, or its handler failed."""
        return self._late is not None

    @property
    def known(self) -> SessionState | None:
        """The state of the session, if it is open."""
        return self._state

    @property
    def request(self) -> Request:
        """What the request says; ``TooLate`` once it was let go of."""
        if self._request is None:
            raise TooLate(self._late)
        return self._request

    @property
    def remember(self) -> bool | None:
        """What the application wished by ``wish_remembered``; None where it did not."""
        return self._remember

    def wish_remembered(self, wish: bool) -> None:
        """Remember, or not, whoever logs in or begins a session in this request. It is no touch.

        Raises:
            TooLate: the answer has left, or the handler has failed.
        """
        if self._late is not None:
            raise TooLate(self._late)
        if wish and context_of(self.sessions).policy.remember_absolute is None:
            log_refused_permanent()
            wish = False
        self._remember = wish
        if self._state is not None:
            self._state.wish_remembered(wish)

    def open(self) -> SessionState:
        """Return the state of the session; the first call asks the store.

        Raises:
            StoreUnavailable, LostRace: nobody can say whose it is.
            TooLate: the answer has left, or the handler has failed.
        """
        if self._state is not None:
            return self._state
        context, request, self.touched = context_of(self.sessions), self.request, True
        try:
            flow = open_transaction(
                context, request, passive=self._passive, unrotated=self._unrotated
            )
            transaction = run(flow)
        except (StoreUnavailable, LostRace) as error:
            self.outage = error
            raise
        self._transaction, self.outage = transaction, None
        self._state = transaction.state
        if self._remember is not None:
            self._state.remember = self._remember
        return self._state

    def look_back(self, request: Request) -> SessionState:
        """Return the state of a session that the answer did not depend on, to be read alone.

        Args:
            request: what the request said, which was let go of.
        """
        if self._state is None:
            flow = open_transaction(
                context_of(self.sessions), request, passive=True, unrotated=self._unrotated
            )
            self._state = run(flow).state
            self._state.close(TOO_LATE)
        return self._state

    def commit(self) -> SessionHeaders:
        """Store what the application did and refuse what comes later.

        Returns:
            the headers that the answer needs, the ticket's if any; the same when asked again.

        Raises:
            TooManySessions, LostRace, StoreUnavailable, UnsupportedValue: see ``service.commit``.
        """
        if self._transaction is not None:
            if self._remember:
                self._transaction.state.begin_remembered()
            flow = begin_commit(self._transaction)
            self._headers = () if flow is None else run(flow)
            self._tell_late_wish(self._transaction.state)
        self.close(TOO_LATE if self.touched else UNSEEN)
        return self._headers

    def _tell_late_wish(self, state: SessionState) -> None:
        late = self._remember is not None and state.undecided and state.record is not None
        if late and state.identity.persistent is not self._remember:
            log_late_permanent()

    def add_headers(self, headers: Headers[str]) -> Headers[str]:
        """Return an answer's headers with those of the session, which was committed."""
        if not self.touched:
            return headers
        varies = context_of(self.sessions).carriers.varies
        return with_session_headers(headers, self._headers, varies, TEXT)

    def restart(self) -> None:
        """Forget what a failed handler did; the next touch opens the session anew."""
        self._transaction = None
        if self._late is None:
            self._state = None

    def close(self, reason: str = FAILED) -> None:
        """Refuse every later change, and a first look too, with that reason; the first one stays.

        To be called in the end, whatever happened: what was not committed is lost, and is told so.
        """
        if self._late is not None:
            return
        self._late = reason
        self._transaction = None
        self._request = (
            None  # it may hold the environ, which holds this: let go without the collector
        )
        if self._state is not None:
            self._state.close(reason)

    def check(self) -> None:
        """Raise ``TooLate`` when a value was changed in place after the session was saved."""
        if late := self.late_keys():
            raise late_change(late)

    def late_keys(self) -> list[str]:
        """Return the keys whose values were changed in place after the session was saved."""
        return [] if self._state is None else self._state.values.changes_since_delta()


class LazySession(Session):
    """A session that asks the store when it is first touched.

    Args:
        life: its life within the request.
    """

    __slots__ = ("_life",)
    _life: RequestSession

    def __init__(self, life: RequestSession) -> None:
        object.__setattr__(self, "_life", life)

    @property
    def _state(self) -> SessionState:
        return self._life.open()

    @property
    def modified(self) -> bool:
        """Whether there is anything to save. Setting it is no touch."""
        return self._state.values.modified

    @modified.setter
    def modified(self, _: bool) -> None:
        pass

    def alive(self) -> bool:
        """Ask the store whether the session still lives, as it is stored, and change nothing.

        It asks each time. A stream that goes on for long asks now and then, and ends once this is
        False; ``session.watch()`` of ASGI is told. One that goes on under another id, as after a
        step-up, is found for two minutes.

        Raises:
            StoreUnavailable: the store did not answer, so nobody can tell.
            TooLate: the answer has left, and its session was never looked at.
        """
        return run(is_alive(context_of(self._life.sessions), self._life.open()))

    def __repr__(self) -> str:
        state = self._life.known
        return "<Session not opened>" if state is None else repr(Session(state))


def life_of(session: LazySession) -> RequestSession:
    """Return the life of a session within its request: for whoever integrates a framework."""
    return session._life  # noqa: SLF001  (the one way in, kept out of an editor's sight)
