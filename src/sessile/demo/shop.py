"""The shop of one server: what its routes work with. ``application`` makes a web app of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from starlette.requests import Request

from sessile import Sessions
from sessile.core.binding import OnMismatch
from sessile.demo.alarms import Alarms
from sessile.demo.authenticator import Authenticator
from sessile.demo.fleet.message import FleetCommand, FleetView
from sessile.demo.late import LateRequests
from sessile.demo.naive import NaiveSessions
from sessile.demo.policies import DEFAULT
from sessile.demo.results import Results
from sessile.demo.switch import StoreSwitch
from sessile.demo.users import UserTable
from sessile.stores.near import NearStore

Parent: TypeAlias = Callable[[FleetCommand], Awaitable[FleetView]]
"""Sends a command to the process that keeps all servers."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One server's collaborators.

    Attributes:
        name: the server's.
        policies: for each policy that a visitor may choose, the sessions as it judges them. All
            are shared with the other servers through one store.
        users: shared with them through a file, as is all that follows.
        authenticator: checks second factors.
        alarms: whose sessions were stolen.
        late: slow requests, and what was dropped of them.
        results: of what was done for a visitor to watch.
        switch: stops the store.
        near: the copies of this server; None where the store tells nobody what changed.
        naive: sessions of another kind, to measure beside.
        parent: takes commands concerning the servers.
    """

    name: str
    policies: Mapping[OnMismatch, Sessions]
    users: UserTable
    authenticator: Authenticator
    alarms: Alarms
    late: LateRequests
    results: Results
    switch: StoreSwitch
    near: NearStore | None
    naive: NaiveSessions
    parent: Parent

    @property
    def sessions(self) -> Sessions:
        """The sessions, for all that is the same under each policy."""
        return self.policies[DEFAULT]


def shop_of(request: Request) -> Shop:
    """Return the shop that a request came to."""
    return cast("Shop", request.app.state.shop)
