"""``require``: refuse to go on unless somebody is logged in, well enough and recently enough. Pure.

``web`` makes decorators and a dependency of it; ``service.require`` spends the grant of a purpose.
"""

from sessile.core.session import Session, state_of
from sessile.core.value import Seconds
from sessile.errors import LoginNeeded, StepUpNeeded


def require(session: Session, *, assurance: int = 1, fresh: Seconds | None = None) -> str:
    """Return the user; refuse one who is not logged in, or not well or recently enough.

    A login that is half finished and a session that is locked count as nobody's.

    Args:
        session: the request's.
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.

    Raises:
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, at a lower level or too long ago.
    """
    user, since = session.user, session.authenticated_at
    if user is None or since is None:
        raise LoginNeeded
    if session.assurance < assurance:
        raise StepUpNeeded(assurance=assurance)
    if fresh is not None and abs(state_of(session).now - since) > fresh:  # clocks of servers differ
        raise StepUpNeeded(fresh=fresh)
    return user
