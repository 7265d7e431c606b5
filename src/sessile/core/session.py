"""The session that an application holds: who it belongs to, and the verbs that change it.

Nothing here does I/O. ``login``, ``logout`` and ``rotate`` are intents, carried out when the
request is committed, which is before the response headers leave.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from sessile.core.credentials import (
    check_assurance,
    check_factors,
    check_given_factors,
    check_instant,
    check_lasts,
    check_purpose,
    check_user,
)
from sessile.core.flag import check_flag
from sessile.core.identity import Identity, Intent, Lock, Pending
from sessile.core.info import SessionInfo
from sessile.core.session_values import SessionValues
from sessile.core.state import SessionState
from sessile.core.ticket import Key
from sessile.core.trail import MAX_ENTRIES, printable
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, LoginNeeded

_MOST_GRANTS: Final = 8
_TO_FINISH: Final = 600.0
_TO_USE: Final = 300.0


class Session(SessionValues):
    """One client's session: a mutable mapping of values, and who it belongs to.

    Its ``repr`` shows the id alone: never a value, a user or a ticket.

    Args:
        state: what the service knows of it.
    """

    __slots__ = ()

    @property
    def id(self) -> Key:
        """The session's handle, twenty characters; safe to show and to log. It opens nothing."""
        return self._state.key

    @property
    def new(self) -> bool:
        """Whether the client came without a session that lives."""
        return self._state.record is None

    @property
    def info(self) -> SessionInfo | None:
        """Its clocks, device, address and trail as they are stored; None when it is new."""
        state = self._state
        if state.record is None:
            return None
        return SessionInfo.of(state.record, current=True, locked=state.lock is not None)

    @property
    def user(self) -> str | None:
        """Who is logged in; None for an anonymous visitor, and while a login is half finished."""
        return self._state.identity.owner

    @property
    def assurance(self) -> int:
        """How well the user proved who they are: 0 not at all, 1 and up as the login said."""
        return self._state.identity.assurance

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that the user gave to log in, as the login said: ``("password", "totp")``."""
        return self._state.identity.factors

    @property
    def authenticated_at(self) -> Instant | None:
        """When the user last proved in full who they are, in seconds since 1970."""
        return self._state.identity.authenticated_at

    @property
    def persistent(self) -> bool:
        """Whether the cookie outlives the browser."""
        return self._state.identity.persistent

    @property
    def device(self) -> str:
        """The name that the login gave to the client; empty when it gave none."""
        return self._state.identity.device

    @property
    def pending(self) -> Pending | None:
        """The login that ``begin_login`` began and that still can be finished; None for none."""
        state = self._state
        pending = state.identity.pending
        return pending if pending is not None and state.now < pending.until else None

    @property
    def lock(self) -> Lock | None:
        """Why the session is locked; None when it is not. ``locked_user`` is whose it is."""
        state = self._state
        return state.lock if state.undecided else None

    @property
    def locked_user(self) -> str | None:
        """Whose session is locked: whom to ask for a factor before ``unlock``. Never logged in."""
        record = self._state.record
        return None if self.lock is None or record is None else record.owner

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
        state = self._open_state()
        check_user(user, "begin_login({})")
        pending = Pending(user, check_factors(factors), state.now + check_lasts(lasts))
        if (
            state.identity.owner is not None
            or state.lock is not None
            or state.has_other_login(user)
        ):
            state.disinherit()
        state.become(Intent.BEGIN, Identity(pending=pending))

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
        whole = (*pending.factors, *check_given_factors(factors))
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
            ConfigError: the user, the assurance or another argument is no such value.
        """
        state = self._open_state()
        check_user(user)
        check_assurance(assurance)
        before = state.claim(user)
        known = before.persistent if state.remember is None else state.remember
        state.says_remember = remember is not None
        who = Identity(
            owner=user,
            assurance=assurance,
            authenticated_at=min(state.now, check_instant(authenticated_at, state.now)),
            factors=check_factors(factors),
            persistent=known if remember is None else check_flag("remember", remember),
            device=before.device if device is None else printable(device, "device"),
            until=None if until is None else check_instant(until, state.now),
        )
        state.become(Intent.LOGIN, who)

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
        state = self._open_state()
        who = state.identity
        if who.owner is None:
            raise LoginNeeded("step_up takes somebody who is logged in: log in first")
        if not state.undecided:
            raise ConfigError(
                "this request has logged somebody in; log in with all factors at once"
            )
        given = check_given_factors(factors)
        if assurance is not None and check_assurance(assurance) < who.assurance:
            raise ConfigError(f"assurance={assurance}: it is {who.assurance} already; leave it out")
        until = state.now + check_lasts(lasts)
        grants = {} if purpose is None else {check_purpose(purpose): until}
        state.purpose = purpose
        state.become(
            Intent.STEP_UP,
            msgspec.structs.replace(
                who,
                assurance=who.assurance if assurance is None else assurance,
                factors=check_factors(tuple(dict.fromkeys((*who.factors, *given)))),
                grants=_lasting_grants(who.grants, state.now) | grants,
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
        state = self._open_state()
        if state.lock is None or not state.undecided:
            raise LoginNeeded("there is no locked session to open: log in")
        check_given_factors(factors)
        state.become(Intent.UNLOCK, state.identity_on_record())

    def has_grant(self, purpose: str) -> bool:
        """Tell whether a step-up allowed this purpose and it is not used up. It stays so."""
        state = self._state
        return state.now < state.identity.grants.get(purpose, 0.0)

    def logout(self) -> None:
        """End the session: on the server first, then the cookie. The mapping is empty at once."""
        self._open_state().log_out()

    def clear(self) -> None:
        """Remove every value, and log out whoever is logged in, as everywhere else.

        After a login in the same request it removes values alone.
        """
        state = self._open_state()
        who = state.identity
        is_somebodys = who.owner is not None or who.pending is not None or state.lock is not None
        if state.undecided and is_somebodys:
            state.log_out()
        else:
            state.values.clear()

    def rotate(self) -> None:
        """Replace the ticket now, as after any change of privilege. The id stays."""
        state = self._open_state()
        if state.intent is Intent.KEEP:
            state.intent = Intent.ROTATE

    def note(self, what: str) -> None:
        """Add a line to the session's trail, as in ``note("changed the password")``.

        It is stored with when, the client's address and its device; 80 characters at most, and the
        last twenty lines of one request.

        Raises:
            ConfigError: it is no text.
        """
        state = self._open_state()
        if type(what) is not str:
            raise ConfigError(f"note takes a text, not {type(what).__name__}")
        state.notes = (*state.notes, printable(what))[-MAX_ENTRIES:]

    def __repr__(self) -> str:
        return f"<Session {self._held.known_key or 'unsaved'}>"


def state_of(session: Session) -> SessionState:
    """Return the state behind a session, opened if it was not: for the service and frameworks.

    An application has no use for it: what it may do is a method of the session.
    """
    try:
        return session._state  # noqa: SLF001  (the one way in, kept out of an editor's sight)
    except AttributeError:
        if isinstance(session, Session):
            raise
        given = type(session).__name__
        raise ConfigError(
            f"a {given} is no session of sessile: give it request.session, with SessionMiddleware"
        ) from None


def _lasting_grants(grants: Mapping[str, Instant], now: Instant) -> dict[str, Instant]:
    """Return the grants that still hold, the newest few of them."""
    held = sorted((item for item in grants.items() if now < item[1]), key=lambda item: item[1])
    return dict(held[1 - _MOST_GRANTS :])
