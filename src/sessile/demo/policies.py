"""The four policies a visitor can choose from. They differ in what a change of client leads to.

A real shop has one policy for everybody. Here each visitor tries all four, and the choice stands in
a cookie of its own, because it must be known before the session is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from starlette.requests import cookie_parser

from sessile import Cookie, Outage, Policy, Sessions, minutes
from sessile.core.binding import Binding, OnMismatch
from sessile.core.proxies import Proxies
from sessile.demo.fleet.port import LOOPBACK
from sessile.service.events import Hook
from sessile.stores.contract import Capability, Store
from sessile.web.scope import App, Receive, Scope, Send
from sessile.web.starlette import SessionMiddleware

COOKIE: Final = "policy"
DEFAULT: Final = OnMismatch.STEP_UP
GRACE: Final = 2.0  # nobody waits half a minute to see a theft found out


def name_of(reaction: OnMismatch) -> str:
    """Return the name of a reaction in the cookie and in the form."""
    return reaction.name.lower()


_BY_NAME: Final = {name_of(reaction): reaction for reaction in OnMismatch}


def reaction_of(cookies: Mapping[str, str]) -> OnMismatch:
    """Return the reaction that a visitor has chosen."""
    return _BY_NAME.get(cookies.get(COOKIE, ""), DEFAULT)


def parse(text: str) -> OnMismatch:
    """Return the reaction of that name.

    Raises:
        ValueError: there is none.
    """
    if text not in _BY_NAME:
        raise ValueError(text)
    return _BY_NAME[text]


def all_sessions(
    store: Store, hooks: Sequence[Hook], server: str | None
) -> dict[OnMismatch, Sessions]:
    """Return the sessions of one server: one store, four policies.

    Args:
        store: that all servers share.
        hooks: called with each event.
        server: by what the balancer knows the server; None where it knows it by nothing.
    """
    has_copies = Capability.COPIES in store.capabilities
    return {
        reaction: Sessions(
            store=store,
            cookie=Cookie(secure=False),  # the demo speaks plain http
            policy=Policy(
                binding=Binding(on_mismatch=reaction),
                grace=GRACE,
                stale=None,  # or an hour
                clock_skew=0,  # one host
                outage=Outage.READ if has_copies else Outage.FAIL,  # see ``stoppable_near``
                outage_reads=minutes(5),
            ),
            proxies=Proxies(trusted=[LOOPBACK]),  # the balancer, which says who the client is
            hooks=hooks,
            server=server,
        )
        for reaction in OnMismatch
    }


class PolicyMiddleware:
    """ASGI middleware: each request has its session by the policy that its visitor has chosen.

    Args:
        app: the application.
        sessions: one for each reaction.
        exclude: path prefixes without sessions.
        polls: path prefixes that no visitor asks for: they are no sign of life, and turn no ticket.
    """

    def __init__(
        self,
        app: App,
        sessions: Mapping[OnMismatch, Sessions],
        exclude: Iterable[str],
        polls: Iterable[str],
    ) -> None:
        self._apps = {
            reaction: SessionMiddleware(app, one, exclude=exclude, passive=polls, unrotated=polls)
            for reaction, one in sessions.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = scope.get("headers", ())
        text = b"; ".join(value for name, value in headers if name == b"cookie")
        cookies = cookie_parser(text.decode("latin-1"))
        await self._apps[reaction_of(cookies)](scope, receive, send)
