"""A FastAPI dependency that loads the session when a path operation asks for it.

With ``load="lazy"`` only the operations that take it cost a store command; with ``load="eager"`` it
hands over what ``web.asgi`` has loaded.
"""

from typing import Annotated, TypeAlias

from sessile.core.session import Session
from sessile.errors import MissingExtra
from sessile.web.asgi import SessionMiddleware, load_session

try:
    from fastapi import Depends
    from fastapi.requests import HTTPConnection
except ModuleNotFoundError as error:
    raise MissingExtra("sessile.web.fastapi", "fastapi") from error

__all__ = ["SessionDep", "SessionMiddleware", "load"]


async def load(connection: HTTPConnection) -> Session:
    """Return the session, as in ``session: Session = Depends(load)``."""
    return await load_session(connection)


SessionDep: TypeAlias = Annotated[Session, Depends(load)]
"""The same as a type, as in ``async def cart(session: SessionDep)``."""
