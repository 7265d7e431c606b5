"""The shop of one server: what its routes work with. ``application`` makes a web app of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias, cast

from starlette.requests import Request

from sessile import Sessions
from sessile.demo.fleet.message import Order, View
from sessile.demo.users import Users

Parent: TypeAlias = Callable[[Order], Awaitable[View]]
"""Takes an order to the process that keeps all servers."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One server's collaborators.

    Attributes:
        name: the server's.
        sessions: shared with the other servers through the store.
        users: shared with them through a file.
        parent: takes orders concerning the servers.
    """

    name: str
    sessions: Sessions
    users: Users
    parent: Parent


def shop_of(request: Request) -> Shop:
    """Return the shop that a request came to."""
    return cast("Shop", request.app.state.shop)
