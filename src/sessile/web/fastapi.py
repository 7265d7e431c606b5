"""FastAPI dependencies: the session, a login that is required, a CSRF token that is.

With ``load="lazy"`` only the operations that take one cost a store command; with ``load="eager"``
they hand over what ``web.asgi`` has loaded.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, NoReturn, TypeAlias

from sessile.core.require import check_requirement
from sessile.core.session import Session
from sessile.core.value import Seconds
from sessile.errors import ConfigError, LoginNeeded, MissingExtra, StepUpNeeded
from sessile.web.asgi import SessionMiddleware, load_session
from sessile.web.asgi_session import AsgiSession

try:
    from fastapi import Depends, HTTPException, params
    from fastapi.requests import HTTPConnection
    from fastapi.responses import RedirectResponse
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.fastapi", "fastapi") from error

from sessile.web.starlette import BARE, authorize, check_csrf, csrf_context, csrf_token

__all__ = [
    "CsrfDep",
    "SessionDep",
    "SessionMiddleware",
    "check_csrf",
    "csrf_context",
    "csrf_token",
    "load",
    "require",
]


async def load(connection: HTTPConnection) -> AsgiSession:
    """Return the session, as in ``session: Session = Depends(load)``."""
    return await load_session(connection)


SessionDep: TypeAlias = Annotated[AsgiSession, Depends(load)]
"""The same as a type, as in ``async def cart(session: SessionDep)``."""

CsrfDep: TypeAlias = Annotated[None, Depends(check_csrf)]
"""A CSRF token is required: ``async def pay(csrf: CsrfDep)``, or for a whole router
``dependencies=[Depends(check_csrf)]``."""


class _NoDependency(params.Depends):
    """A default that no route can be made with: FastAPI meets it where ``require`` is not called.

    ``Depends(require)`` would have FastAPI call it and take what it returns, which asks nobody.
    """

    def __init__(self) -> None:
        pass  # a frozen dataclass would write the field that is refused here

    @property
    def dependency(self) -> NoReturn:
        """What a route would be made with.

        Raises:
            ConfigError: whatever asks.
        """
        raise ConfigError(BARE)


_CALLED: Final[Any] = _NoDependency()


def require(
    *,
    assurance: int = 1,
    fresh: Seconds | None = None,
    purpose: str | None = None,
    otherwise: str | None = None,
    _called: object = _CALLED,
) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Return a dependency: the session of somebody who is logged in, well and recently enough.

    As in ``session: Annotated[Session, Depends(require(assurance=2))]``. Anybody else meets
    ``LoginNeeded`` or ``StepUpNeeded``, a 401 and a 403 unless the application handles them.

    Args:
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.
        purpose: spend a grant of ``session.step_up`` for it.
        otherwise: where to send the browser of anybody else, as in ``"/login"``, by an
            ``HTTPException`` of 303. A WebSocket is declined in either case.

    Raises:
        ConfigError: an option is no such value; or a route is made with ``Depends(require)``.
    """
    if _called is not _CALLED:
        raise ConfigError(BARE)
    check_requirement(assurance, fresh, purpose)

    async def session_of_user(connection: HTTPConnection) -> Session:
        try:
            return await authorize(connection, assurance, fresh, purpose)
        except (LoginNeeded, StepUpNeeded) as error:
            if otherwise is None or connection.scope["type"] != "http":
                raise
            # a dependency cannot answer; this has FastAPI do it
            to = RedirectResponse(otherwise).headers["location"]
            raise HTTPException(303, headers={"location": to}) from error

    return session_of_user
