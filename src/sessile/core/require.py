"""``require``: refuse to go on unless somebody is logged in, well enough and recently enough. Pure.

``web`` makes decorators and a dependency of it; ``service.require`` spends the grant of a purpose.
"""

from sessile.core.credentials import check_assurance, check_purpose
from sessile.core.session import Session, state_of
from sessile.core.value import Seconds
from sessile.errors import ConfigError, LoginNeeded, StepUpNeeded


def check_requirement(assurance: object, fresh: object = None, purpose: object = None) -> None:
    """Refuse what nobody can be asked for, when a view is decorated.

    Raises:
        ConfigError: the level, the time or the purpose is no such value.
    """
    check_assurance(assurance)
    if fresh is not None and not (type(fresh) in {int, float} and 0 <= fresh < 1e11):  # type: ignore[operator]
        raise ConfigError(f"fresh={fresh!r}: write seconds, as in fresh=minutes(5)")
    if purpose is not None:
        check_purpose(purpose)


def require(session: Session, *, assurance: int = 1, fresh: Seconds | None = None) -> str:
    """Return the user; refuse one who is not logged in, or not well or recently enough.

    A login that is half finished and a session that is locked count as nobody's.

    Args:
        session: the request's.
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.

    Raises:
        ConfigError: what is asked for is no such value, or this is no session.
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, at a lower level or too long ago.
    """
    check_requirement(assurance, fresh)
    state = state_of(session)
    user, since = session.user, session.authenticated_at
    if user is None or since is None:
        raise LoginNeeded
    if session.assurance < assurance:
        raise StepUpNeeded(assurance=assurance)
    if fresh is not None and abs(state.now - since) > fresh:  # clocks of servers differ
        raise StepUpNeeded(fresh=fresh)
    return user
