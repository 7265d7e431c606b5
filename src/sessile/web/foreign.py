"""What other code puts in the place of our session, or takes it for: refused, with what to write.

``web.asgi`` asks at either end of a request, ``web.wsgi`` and ``web.flask`` when something failed.
"""

from typing import Final

from sessile.core.session import Session
from sessile.errors import ConfigError
from sessile.web.excluded import NoSession
from sessile.web.scope import Scope

_NOT_JSON: Final = "JSON serializable"
_ADVICE: Final = (
    "a session of sessile is a mapping and no dict: write dict(session), as in "
    'JSONResponse({"session": dict(request.session)})'
)


def check_outside(scope: Scope) -> None:
    """Refuse a request that comes with the session of somebody else.

    Raises:
        ConfigError: there is one.
    """
    found = scope.get("session")
    if found is not None and not isinstance(found, Session | NoSession):
        raise ConfigError(
            f"this request has a session already, a {type(found).__name__}: another session "
            "middleware stands outside of sessile's SessionMiddleware; take it out"
        )


def check_inside(found: object) -> None:
    """Refuse what was put in the place of the session: whatever is in it would be lost.

    A session of ours is none such: an application that is mounted may have sessions of its own.

    Raises:
        ConfigError: it is no session of ours.
    """
    if not isinstance(found, Session | NoSession):
        raise ConfigError(
            f'scope["session"] was replaced by a {type(found).__name__}, and nothing of it would '
            "be stored: write session.clear() to empty the session, session.update(...) to fill "
            "it; if another session middleware stands inside of sessile's, take it out"
        )


def advise(error: BaseException) -> None:
    """Add what to write to the error of an encoder that was given a session."""
    text = str(error)
    if isinstance(error, TypeError) and _NOT_JSON in text and "Session" in text:
        error.add_note(_ADVICE)
