"""CSRF tokens of a session: ``core.csrf`` makes and checks them, with what the service knows."""

from sessile.core import csrf
from sessile.core.session import Session, state_of
from sessile.core.ticket import Key
from sessile.errors import TokenNeeded
from sessile.service.context import Context
from sessile.service.principal import is_login_by_other_code


def issue_token(context: Context, session: Session) -> str:
    """Return a token for a page of this session; another text each time.

    A visitor without a session gets one, for the token to belong to. Behind a login, be it by other
    code, it is the new session's. Where the session was replaced
    or logged out while the request was on its way, no other one may begin: the token belongs to the
    ticket that was presented.

    Raises:
        TooLate: the answer's headers have left, and there is no session.
        ConfigError: what the values name cannot be a user's key.
    """
    state, mask = state_of(session), context.entropy(csrf.MASK)
    record = state.record
    if is_login_by_other_code(context, state):
        subject = csrf.subject_of(state.new_ticket().key, bound=True)
    elif record is not None and state.key == record.key:
        subject = csrf.subject_of(state.key, bound=record.bound)
    elif record is None and state.is_stale and state.presented is not None and state.undecided:
        subject, _ = csrf.subjects_of_visitor(state.presented)
    else:
        if record is None:
            state.check_open()
            state.must_store = True
        who = state.identity
        bound = who.owner is not None or who.pending is not None
        subject = csrf.subject_of(state.new_ticket().key, bound=bound)
    return csrf.token(context.ring, subject, mask)


def check_token(context: Context, session: Session, given: str | None) -> None:
    """Make sure that a request brought a token of its session, or of the cookie it came with.

    Raises:
        TokenNeeded: it brought none, or another session's.
    """
    state = state_of(session)
    record, subjects = state.record, tuple[bytes, ...]()
    if record is not None:
        subjects = (csrf.subject_of(Key(record.key), bound=record.bound),)
    elif state.presented is not None:
        subjects = csrf.subjects_of_visitor(state.presented)
    if not csrf.check(context.ring, subjects, given):
        came = bool(given)
        context.log.tell_no_token(came=came)
        raise TokenNeeded(came=came)
