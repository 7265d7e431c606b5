"""What other code puts in the place of our session, or takes it for: refused, with what to write.

``web.asgi`` asks at either end of a request, ``web.wsgi`` and ``web.flask`` when something failed.
"""

from typing import Final

from sessile.core.session import Session
from sessile.errors import ConfigError
from sessile.service.sessions import Sessions
from sessile.web.excluded import NoSession
from sessile.web.scope import SESSIONS, Scope
from sessile.wire.log import log_second_middleware

_NOT_JSON: Final = "JSON serializable"
_ADVICE: Final = (
    "a session of sessile is a mapping and no dict: write dict(session), as in "
    'JSONResponse({"session": dict(request.session)})'
)
_ADVICE_ON_PROXY: Final = (
    "if it is flask.session, or the session of sessile.web.flask: write dict(session), as in "
    "flask.jsonify(dict(session))"
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


def check_twice(scope: Scope, sessions: Sessions) -> bool:
    """Tell whether a request comes through a middleware of the same sessions a second time.

    Raises:
        ConfigError: it does, through one whose sessions are others and have the same cookie.
    """
    outer: Sessions | None = scope.get(SESSIONS)
    if outer is sessions:
        log_second_middleware()
        return True
    # Starlette puts that into the scope of what is mounted, which may have sessions of its own
    is_mounted = "app_root_path" in scope
    if outer is not None and not is_mounted and outer.cookie == sessions.cookie:
        raise ConfigError(
            "two SessionMiddleware with different Sessions stand around one application, and "
            f"both have the cookie {sessions.cookie.full_name}: take one of them out"
        )
    return False


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
    """Add what to write, once, to the error of an encoder that was given a session."""
    text = str(error)
    if not isinstance(error, TypeError) or _NOT_JSON not in text:
        return
    advice = _ADVICE if "Session" in text else _ADVICE_ON_PROXY if "LocalProxy" in text else None
    if advice is not None and advice not in getattr(error, "__notes__", ()):
        error.add_note(advice)
