"""FastAPI dependencies: the session, a login that is required, a CSRF token that is.

With ``load="lazy"`` only the operations that take one cost a store command; with ``load="eager"``
they hand over what ``web.asgi`` has loaded.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

from sessile.core.require import check_requirement
from sessile.core.session import Session
from sessile.core.value import Seconds
from sessile.errors import MissingExtra
from sessile.web.asgi import SessionMiddleware, load_session

try:
    from fastapi import Depends
    from fastapi.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.fastapi", "fastapi") from error

from sessile.web.starlette import authorize, check_csrf, csrf_context, csrf_token

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


async def load(connection: HTTPConnection) -> Session:
    """Return the session, as in ``session: Session = Depends(load)``."""
    return await load_session(connection)


SessionDep: TypeAlias = Annotated[Session, Depends(load)]
"""The same as a type, as in ``async def cart(session: SessionDep)``."""

CsrfDep: TypeAlias = Annotated[None, Depends(check_csrf)]
"""A CSRF token is required: ``async def pay(csrf: CsrfDep)``, or for a whole router
``dependencies=[Depends(check_csrf)]``."""


def require(
    *, assurance: int = 1, fresh: Seconds | None = None, purpose: str | None = None
) -> Callable[[HTTPConnection], Awaitable[Session]]:
    """Return a dependency: the session of somebody who is logged in, well and recently enough.

    As in ``session: Annotated[Session, Depends(require(assurance=2))]``. Anybody else meets
    ``LoginNeeded`` or ``StepUpNeeded``, a 401 and a 403 unless the application handles them.

    Args:
        assurance: the lowest level that will do.
        fresh: the login must be this recent, in seconds.
        purpose: spend a grant of ``session.step_up`` for it.
    """
    check_requirement(assurance, fresh, purpose)

    async def session_of_user(connection: HTTPConnection) -> Session:
        return await authorize(connection, assurance, fresh, purpose)

    return session_of_user
