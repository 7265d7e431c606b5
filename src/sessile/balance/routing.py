"""Choose the server of a request. Pure; ``forwarder`` connects to it.

Who belongs where is known in one of several ways (``Affinity``). A client that belongs to a server
that is up or draining goes there; everybody else is new and goes to a server that is up.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from sessile.balance.health import State
from sessile.core.rendezvous import rendezvous
from sessile.core.route import route_token

_NONE: Final[Mapping[str, int]] = {}


class Affinity(Enum):
    """What ties a client to a server."""

    NONE = "none"  # nothing: round robin per request, so any server must know any session
    COOKIE = "cookie"  # a route cookie of its own: survives a change of address, needs cookies
    ROUTE = "route"  # the same cookie, which the servers hand out with their sessions
    ADDRESS = "address"  # the client's address: no cookie, but all behind one NAT share a server


@dataclass(frozen=True, slots=True)
class Visitor:
    """What is known of a client: its address, and the route tokens it sent (all unproven)."""

    address: str
    tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """The server chosen, by name, and the route token to hand out, if the client needs one."""

    name: str
    token: str | None = None


class Router:
    """Routes of all clients.

    Args:
        names: the servers.
        affinity: what ties a client to one of them; it may be changed at any time.
        key: makes the route tokens; the same key gives the same tokens.
        remembered: how many addresses are remembered, so that a draining server keeps its own.
    """

    def __init__(
        self, names: Sequence[str], affinity: Affinity, *, key: bytes, remembered: int = 4096
    ) -> None:
        self.affinity = affinity
        self._names = tuple(names)
        self._tokens = {name: route_token(name, key) for name in names}
        self._by_token = {token: name for name, token in self._tokens.items()}
        self._by_address: OrderedDict[str, str] = OrderedDict()
        self._remembered = remembered
        self._turn = 0

    def choose(
        self, visitor: Visitor, states: Mapping[str, State], active: Mapping[str, int] = _NONE
    ) -> Route | None:
        """Return where the visitor goes; None if no server may take it.

        Args:
            visitor: whose request it is.
            states: of the servers, by name.
            active: how many requests each has now: whoever is new and will stay goes where there
                are fewest.
        """
        match self.affinity:
            case Affinity.NONE:
                return self._next(states)
            case Affinity.COOKIE | Affinity.ROUTE:
                return self._choose_by_cookie(visitor, states, active)
            case Affinity.ADDRESS:
                return self._choose_by_address(visitor.address, states)

    def _next(self, states: Mapping[str, State]) -> Route | None:
        """Return the next server that is up, starting after the one chosen last."""
        for step in range(len(self._names)):
            place = (self._turn + step) % len(self._names)
            if states[self._names[place]] is State.UP:
                self._turn = place + 1
                return Route(self._names[place])
        return None

    def _choose_by_cookie(
        self, visitor: Visitor, states: Mapping[str, State], active: Mapping[str, int]
    ) -> Route | None:
        for token in visitor.tokens:
            name = self._by_token.get(token)
            if name is not None and states[name] is not State.DOWN:
                return Route(name)
        up = {name: active.get(name, 0) for name, state in states.items() if state is State.UP}
        least = min(up.values(), default=0)
        busier = {name: State.DOWN for name, number in up.items() if number > least}
        new = self._next({**states, **busier})
        if new is None or self.affinity is Affinity.ROUTE:
            return new
        return Route(new.name, self._tokens[new.name])

    def _choose_by_address(self, address: str, states: Mapping[str, State]) -> Route | None:
        bound = self._by_address.get(address)
        if bound is not None and states[bound] is State.DRAIN:
            return Route(bound)
        up = [name for name in self._names if states[name] is State.UP]
        if not up:
            return None
        self._remember(address, home := rendezvous(address, up))
        return Route(home)

    def _remember(self, address: str, name: str) -> None:
        self._by_address[address] = name
        self._by_address.move_to_end(address)
        if len(self._by_address) > self._remembered:
            self._by_address.popitem(last=False)
