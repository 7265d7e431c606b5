"""The part of a session that knows whose it is, and the verbs that change it. Under ``session``.

Nothing here does I/O: the verbs leave an intent, which the commit carries out.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from sessile.core.credentials import (
    check_assurance,
    check_factors,
    check_given,
    check_instant,
    check_lasts,
    check_purpose,
    check_user,
)
from sessile.core.identity import ANYONE, Identity, Lock, Pending
from sessile.core.intent import Intent
from sessile.core.mapping import Values
from sessile.core.record import Record
from sessile.core.ticket import Ticket
from sessile.core.trail import printable
from sessile.core.value import Codec, Encoded, Instant, Seconds
from sessile.errors import ConfigError, LoginNeeded

_MOST_GRANTS: Final = 8
_TO_FINISH: Final = 600.0
_TO_USE: Final = 300.0


class Authentication(Values):
    """Values that belong to somebody.

    Args:
        record: as it is stored; None when the client came without a session that lives.
        values: its values in plain; none while it is locked.
        codec: values to bytes and back.
        mint: draws a ticket.
        now: when the request was opened.
        lock: why the record opens for nobody, if it is so.
    """

    __slots__ = (
        "_fresh", "_identity", "_inherits", "_intent", "_lock", "_mint", "_now", "_purpose",
        "_record",
    )  # fmt: skip

    def __init__(
        self,
        record: Record | None,
        values: Encoded,
        codec: Codec,
        mint: Callable[[], Ticket],
        now: Instant,
        *,
        lock: Lock | None = None,
    ) -> None:
        super().__init__(values, codec)
        self._mint = mint
        self._now = now
        self._fresh: Ticket | None = None
        self._intent = Intent.KEEP
        self._inherits = True
        self._purpose: str | None = None
        self._record = record
        self._lock = lock
        self._identity: Identity | None = None

    def _identify(self, record: Record | None, lock: Lock | None = None) -> None:
        """Be the session of that record, or nobody's."""
        self._record, self._lock, self._identity = record, lock, None

    @property
    def _who(self) -> Identity:
        """Who it belongs to; read from the record when it is first asked for."""
        if self._identity is None:
            known = self._record is not None and self._lock is None
            self._identity = self._record.identity if known and self._record else ANYONE
        return self._identity

    @property
    def user(self) -> str | None:
        """Who is logged in; None for an anonymous visitor, and while a login is half finished."""
        self.accessed = True
        return self._who.owner

    @property
    def assurance(self) -> int:
        """How well the user proved who they are: 0 not at all, 1 and up as the login said."""
        self.accessed = True
        return self._who.assurance

    @property
    def factors(self) -> tuple[str, ...]:
        """What the user gave to log in, as the login said: ``("password", "totp")``."""
        self.accessed = True
        return self._who.factors

    @property
    def authenticated_at(self) -> Instant | None:
        """When the user last proved in full who they are, in seconds since 1970."""
        self.accessed = True
        return self._who.authenticated_at

    @property
    def pending(self) -> Pending | None:
        """The login that ``begin_login`` began and that still can be finished; None for none."""
        self.accessed = True
        pending = self._who.pending
        return pending if pending is not None and self.opened_at < pending.until else None

    @property
    def lock(self) -> Lock | None:
        """Why the session is locked; None when it is not. ``locked_user`` is whose it is."""
        self.accessed = True
        return self._lock if self._undecided else None

    @property
    def locked_user(self) -> str | None:
        """Whose session is locked: whom to ask for a factor before ``unlock``. Never logged in."""
        self.accessed = True
        return None if self.lock is None or self._record is None else self._record.owner

    def begin_login(
        self, user: str, *, factors: Sequence[str] = (), lasts: Seconds = _TO_FINISH
    ) -> None:
        """Note that a user gave a first factor and has to give another: a new, anonymous session.

        Whoever was logged in is so no more. To every check nobody is, until ``finish_login``.

        Args:
            user: the user's key.
            factors: what they gave so far, as in ``("password",)``.
            lasts: seconds within which to finish; ten minutes unless said.

        Raises:
            ConfigError: the user, a factor or the time is no such value.
        """
        self._writable()
        self.accessed = True
        check_user(user)
        pending = Pending(user, check_factors(factors), self.opened_at + check_lasts(lasts))
        if self._who.owner is not None or self._lock is not None or self._begun_by_other(user):
            self._disinherit()
        self._become(Intent.BEGIN, Identity(pending=pending))

    def finish_login(
        self,
        *,
        factors: Sequence[str],
        assurance: int = 2,
        remember: bool | None = None,
        device: str | None = None,
    ) -> None:
        """Log in whoever began: what they gave before and ``factors`` now count together.

        Raises:
            LoginNeeded: no login was begun, or it took too long.
        """
        pending = self.pending
        if pending is None:
            raise LoginNeeded("no login was begun, or it took too long: begin again")
        whole = (*pending.factors, *check_given(factors))
        self.login(
            pending.user, assurance=assurance, factors=whole, remember=remember, device=device
        )

    def login(
        self,
        user: str,
        *,
        assurance: int = 1,
        factors: Sequence[str] = (),
        remember: bool | None = None,
        device: str | None = None,
        authenticated_at: Instant | None = None,
        until: Instant | None = None,
    ) -> None:
        """Log a user in: a new session with a new id; the old one ends, without grace.

        An anonymous visitor's values, and those of the same user, are carried over. The values of
        another user are not, nor those of a visitor who began to log in as somebody else.

        Args:
            user: the user's key in your database, as text.
            assurance: the level reached, 1 for one factor; NIST SP 800-63B-4 counts to 3.
            factors: what the user gave, in words of your own: ``("password", "totp")``.
            remember: keep the cookie when the browser closes, with the policy's longer clocks.
            device: what to call this client in a list of the user's sessions; 80 characters at
                most are kept. Without it the User-Agent says: ``"Chrome on Android"``.
            authenticated_at: when somebody else saw the user prove it, as the ``auth_time`` of
                OpenID Connect, in seconds since 1970; None is now. The future is taken for now.
            until: when the login ends at the latest, as the ``session_expiry`` of an identity
                provider; None leaves it to the policy, which is never exceeded.

        For the same user ``remember`` and ``device`` stay as they were where they are None; all
        else is as this login says.

        Raises:
            ConfigError: the user, the assurance or a factor is no such value.
        """
        self._writable()
        self.accessed = True
        check_user(user)
        check_assurance(assurance)
        before = self._before(user)
        who = Identity(
            owner=user,
            assurance=assurance,
            authenticated_at=min(self.opened_at, check_instant(authenticated_at, self.opened_at)),
            factors=check_factors(factors),
            persistent=before.persistent if remember is None else bool(remember),
            device=before.device if device is None else printable(device),
            until=None if until is None else check_instant(until, self.opened_at),
        )
        self._become(Intent.LOGIN, who)

    def step_up(
        self,
        purpose: str | None = None,
        *,
        factors: Sequence[str],
        assurance: int | None = None,
        lasts: Seconds = _TO_USE,
    ) -> None:
        """Note that the user gave another factor: for one purpose, or for good.

        It makes a new session, as each proof of identity does, with the clocks of the old one. If
        that one ends meanwhile the new one does too.

        Args:
            purpose: what it allows, once, until it is spent: ``require(purpose=...)``.
            factors: what was given now, as in ``("totp",)``.
            assurance: the level reached by it; None leaves the level as it is.
            lasts: seconds for which the purpose is allowed; five minutes unless said.

        Raises:
            ConfigError: an argument is no such value, or the assurance is below what it was.
            LoginNeeded: nobody is logged in.
        """
        self._writable()
        self.accessed = True
        who = self._who
        if who.owner is None:
            raise LoginNeeded("step_up takes somebody who is logged in: log in first")
        if not self._undecided:
            raise ConfigError(
                "this request has logged somebody in; log in with all factors at once"
            )
        given = check_given(factors)
        if assurance is not None and check_assurance(assurance) < who.assurance:
            raise ConfigError(f"assurance={assurance}: it is {who.assurance} already; leave it out")
        until = self.opened_at + check_lasts(lasts)
        grants = {} if purpose is None else {check_purpose(purpose): until}
        self._purpose = purpose
        self._become(
            Intent.STEP_UP,
            msgspec.structs.replace(
                who,
                assurance=who.assurance if assurance is None else assurance,
                factors=tuple(dict.fromkeys((*who.factors, *given))),
                grants=_lasting(who.grants, self.opened_at) | grants,
            ),
        )

    def unlock(self, *, factors: Sequence[str]) -> None:
        """Note that the owner of a locked session gave one factor: it goes on, under a new id.

        The overall clock goes on as well, and so does the assurance it had. To raise or to renew
        those, ``login``.

        Args:
            factors: what was given now, as in ``("password",)``.

        Raises:
            ConfigError: a factor is no such value.
            LoginNeeded: the session is not locked, or it is to be somebody else's.
        """
        self._writable()
        self.accessed = True
        if self._lock is None or not self._undecided:
            raise LoginNeeded("there is no locked session to open: log in")
        check_given(factors)
        self._become(Intent.UNLOCK, self._locked_identity())

    def granted(self, purpose: str) -> bool:
        """Tell whether a step-up allowed this purpose and it is not spent. It stays unspent."""
        self.accessed = True
        return self.opened_at < self._who.grants.get(purpose, 0.0)

    # What follows is for the service.

    def spent(self, purpose: str) -> None:
        """Forget a grant that ``sessions.spend`` has taken from the store."""
        rest = {name: until for name, until in self._who.grants.items() if name != purpose}
        self._identity = msgspec.structs.replace(self._who, grants=rest)

    @property
    def opened_at(self) -> Instant:
        """The time by which a request is judged: when it was opened. A WebSocket's goes on."""
        return self._now

    @property
    def intent(self) -> Intent:
        """What the commit is to do beside saving values."""
        return self._intent

    @property
    def identity(self) -> Identity:
        """Who it belongs to, as the application left it."""
        return self._who

    @property
    def persistent(self) -> bool:
        """Whether the cookie outlives the browser."""
        self.accessed = True
        return self._who.persistent

    @property
    def device(self) -> str:
        """What the login called the client."""
        self.accessed = True
        return self._who.device

    @property
    def inherits(self) -> bool:
        """Whether the values that the session was opened with are still its own."""
        return self._inherits

    @property
    def purpose(self) -> str | None:
        """What the step-up of this request allows."""
        return self._purpose

    @property
    def _undecided(self) -> bool:
        """Whether this request has said nothing yet of who it is."""
        return self._intent is Intent.KEEP or self._intent is Intent.ROTATE

    def _before(self, user: str) -> Identity:
        """Return who that user was here before; what belongs to anybody else is left behind."""
        before = self._who if self._lock is None else self._locked_identity()
        if before.owner == user:
            return before
        if before.owner is not None or self._begun_by_other(user):
            self._disinherit()
        return ANYONE

    def _begun_by_other(self, user: str) -> bool:
        """Tell whether somebody else began a login here: what was set meanwhile may be theirs."""
        return self._who.pending is not None and self._who.pending.user != user

    def _become(self, intent: Intent, who: Identity) -> None:
        """Be a new session, under a ticket that was never seen."""
        self._fresh = self._mint()
        self._intent, self._identity = intent, who

    def _disinherit(self) -> None:
        """Begin with no values: those there were belong to somebody else."""
        self.clear()
        self._inherits = False

    def _locked_identity(self) -> Identity:
        assert self._record is not None
        return self._record.identity


def _lasting(grants: Mapping[str, Instant], now: Instant) -> dict[str, Instant]:
    """Return the grants that still hold, the newest few of them."""
    held = sorted((item for item in grants.items() if now < item[1]), key=lambda item: item[1])
    return dict(held[1 - _MOST_GRANTS :])
