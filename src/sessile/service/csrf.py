"""CSRF tokens of a session: ``core.csrf`` makes and checks them, with what the service knows."""

from sessile.core import csrf
from sessile.core.session import Session, state_of
from sessile.errors import TokenNeeded
from sessile.service.context import Context


def issue_token(context: Context, session: Session) -> str:
    """Return a token for a page of this session; another text each time.

    A visitor without a session gets one, for the token to belong to.

    Raises:
        TooLate: the answer's headers have left, and there is no session.
    """
    state, mask = state_of(session), context.entropy(csrf.MASK)
    record = state.record
    if record is not None and state.key == record.key:
        return csrf.token(context.ring, state.key, record.digest, mask)
    if record is None:
        state.check_open()
        state.must_store = True
    ticket = state.new_ticket()
    return csrf.token(context.ring, ticket.key, ticket.digest, mask)


def check_token(context: Context, session: Session, given: str) -> None:
    """Make sure that a request brought a token of its session.

    Raises:
        TokenNeeded: it brought none, or another session's.
    """
    record = state_of(session).record
    if record is None or not csrf.check(context.ring, record, given):
        raise TokenNeeded
