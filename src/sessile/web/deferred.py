"""A session that opens itself when it is first touched, with no await: for ``web.wsgi``."""

from typing import Final

from sessile.core.carrier import Header
from sessile.core.flow import run
from sessile.core.request import Request
from sessile.core.session import Session
from sessile.errors import LostRace, StoreUnavailable, TooLate
from sessile.service.commit import commit_visit
from sessile.service.opening import open_visit
from sessile.service.parts import Parts
from sessile.service.visit import Visit
from sessile.web.exchange import TOO_LATE, UNSEEN

_OPENED: Final = frozenset(
    slot for kind in Session.__mro__ for slot in getattr(kind, "__slots__", ())
) - {"accessed"}
"""What a session has once it is open. While these are unset, Python asks ``__getattr__`` for them;
an open session is as fast as any other."""


class Deferred(Session):
    """A session that asks the store when it is first touched.

    Args:
        parts: the collaborators.
        request: what the request says; let go of with the last chance to open the session.
        passive: whether it is no sign of life.

    Attributes:
        parts: the collaborators.
        touched: whether the answer depends on the session, be it open or refused.
        outage: why the last attempt to open it failed; None when it did not.
    """

    __slots__ = (
        "_header", "_late", "_open", "_passive", "_request", "_visit", "outage", "parts", "touched",
    )  # fmt: skip

    def __init__(self, parts: Parts, request: Request, *, passive: bool = False) -> None:
        self.parts = parts
        self._request: Request | None = request
        self._passive = passive
        self._visit: Visit | None = None
        self._header: Header | None = None
        self._late: str | None = None
        self._open = False
        self.accessed = False
        self.touched = False
        self.outage: StoreUnavailable | LostRace | None = None

    def __getattr__(self, name: str) -> object:
        if name not in _OPENED:
            raise AttributeError(f"a session has no attribute {name!r}", name=name, obj=self)
        self._load()
        return getattr(self, name)

    def _load(self) -> None:
        if self._late is not None or self._request is None:
            raise TooLate(self._late)
        parts, self.touched = self.parts, True
        try:
            visit = run(open_visit(parts, self._request, passive=self._passive))
        except (StoreUnavailable, LostRace) as error:
            self.outage = error
            raise
        super().__init__(
            visit.record,
            visit.values,
            codec=parts.codec,
            mint=parts.mint,
            now=visit.now,
            lock=visit.lock,
        )
        visit.session = self
        self._visit, self._open, self.outage = visit, True, None

    @property
    def closed(self) -> bool:
        """Whether changes are refused: it is saved, or its handler failed."""
        return self._late is not None

    def commit(self) -> Header | None:
        """Store what the application did and refuse what comes later.

        Returns:
            the header with the ticket that the answer needs, if any; the same when asked again.

        Raises:
            LimitReached, LostRace, StoreUnavailable, UnsupportedValue: see ``commit_visit``.
        """
        if self._visit is not None:
            self._header = run(commit_visit(self.parts, self._visit))
        self.close(TOO_LATE if self.touched else UNSEEN)
        return self._header

    def restart(self) -> None:
        """Forget what a failed handler did; the next touch opens the session anew."""
        self._visit = None
        if self._open and self._late is None:
            self._open = False
            for slot in _OPENED:
                delattr(self, slot)

    def close(self, reason: str) -> None:
        """Refuse every later change, and a first look too, with that reason."""
        self._late = reason
        self._visit = None  # it holds this session: let both go without the collector
        self._request = None  # it may hold the environ, which holds this session as well
        if self._open:
            super().close(reason)

    def changes_since_delta(self) -> list[str]:
        """Return the keys whose values were changed in place after they were saved."""
        return super().changes_since_delta() if self._open else []

    def __repr__(self) -> str:
        return super().__repr__() if self._open else "<Session not opened>"
