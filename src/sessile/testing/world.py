"""A world for the promises of sessions: a store, a clock in hand, browsers and their requests.

``promises.concurrency`` and others play here. A request is one flow, opened, handled and committed,
so ``step`` can stop it at every act of I/O.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sessile.codecs.agent import get_ready
from sessile.core.carrier import SessionHeaders
from sessile.core.info import SessionInfo
from sessile.core.policy import Policy
from sessile.core.principal import WELL_KNOWN, PrincipalOf
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.ticket import SELECTOR_BYTES
from sessile.core.version_hint import SUFFIX
from sessile.service.commit import commit
from sessile.service.events import Event
from sessile.service.open import open_transaction
from sessile.service.sessions import Sealing, Sessions, context_of
from sessile.stores.contract import Capability, Store
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Drive
from sessile.wire import system

E = TypeVar("E", bound=Event)
Handler = Callable[[Session], Any]

SECRET = "oT6_vWq9mZ2x-Lk4Rb8sYc1Nf7Hd3Jg5Pa0Ue"  # noqa: S105  (opens tests, and nothing else)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
HOME, NEARBY, ABROAD = "192.0.2.7", "192.0.2.200", "198.51.100.9"
_ID = SELECTOR_BYTES * 4 // 3
NEWER = "hQ3_xNw8kV5z-Bj2Tm7pXe9Ry4Gf6Ds1Kc0Li"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request got back.

    Attributes:
        result: what its handler returned.
        set_cookie: the Set-Cookie value, or None.
        user: who the request was for.
    """

    result: Any
    set_cookie: str | None
    user: str | None

    @property
    def cookie(self) -> str:
        """The Cookie header a browser sends from now on; empty after a deletion."""
        assert self.set_cookie is not None, "the reply set no cookie"
        return "" if "Max-Age=0" in self.set_cookie else self.set_cookie.partition(";")[0]


class World:
    """Sessions over one store, timed by the clock in hand.

    Attributes:
        cookie: what the world's main browser sends.
        peer: the address it sends it from.
        agent: what it calls itself.
        hints: the other cookies that the browser sends, by name; see ``core.version_hint``.
        passive: whether its requests count as no activity.
        unrotated: whether its requests turn no ticket.
        issued: every ticket that an answer carried.
        events: every event the hooks received.
    """

    def __init__(
        self,
        store: Store,
        drive: Drive,
        *,
        clock: FakeClock | None = None,
        policy: Policy | None = None,
        secrets: Sequence[str] = (SECRET,),
        sealing: Sealing = Sealing.WHEN_SECRETS_ARE_GIVEN,
        principal: str | PrincipalOf | Sequence[str] | None = WELL_KNOWN,
    ) -> None:
        get_ready()  # as a middleware does: else the first login holds all threads up for seconds
        self.clock = clock or FakeClock()
        self.drive = drive
        self.events: list[Event] = []
        self.sessions = Sessions(
            store=store,
            secrets=secrets,
            policy=policy,
            principal=principal,
            sealing=sealing,
            hooks=[self.events.append],
            clock=self.clock,
            entropy=system.entropy,
        )
        context_of(self.sessions).timer = self.clock
        self.cookie = ""
        self.peer, self.agent = HOME, FIREFOX
        self.hints: dict[str, str] = {}
        self.passive = self.unrotated = False
        self.issued: list[str] = []

    async def request(
        self, cookie: str, handler: Handler = dict, *, peer: str | None = None
    ) -> Reply:
        """Make one request of a browser, as a flow; from ``peer``, where it is another address."""
        hints = (f"{name}={value}" for name, value in self.hints.items())
        sent = "; ".join(filter(None, (cookie, *hints)))
        headers = {"cookie": sent, "user-agent": self.agent}
        request = PlainRequest(headers, peer=self.peer if peer is None else peer)
        context = context_of(self.sessions)
        transaction = await open_transaction(
            context, request, passive=self.passive, unrotated=self.unrotated
        )
        session = Session(transaction.state)
        result, user = handler(session), session.user
        given = self._keep_hints(await commit(transaction))
        reply = Reply(result, given[-1][1] if given else None, user)
        if given and reply.cookie:
            self.issued.append(reply.cookie)
        return reply

    def _keep_hints(self, given: SessionHeaders) -> SessionHeaders:
        """Keep the hints of an answer as a browser does, and return the headers besides them."""
        rest = []
        for header in given:
            name, _, value = header[1].partition(";")[0].partition("=")
            if SUFFIX not in name:
                rest.append(header)
            elif value:
                self.hints[name] = value
            else:
                self.hints.pop(name, None)
        return tuple(rest)

    def ask(
        self, handler: Handler = dict, cookie: str | None = None, *, peer: str | None = None
    ) -> Reply:
        """Make one request and keep what it sets; without ``cookie`` as the main browser."""
        sent = self.cookie if cookie is None else cookie
        reply: Reply = self.drive(self.request(sent, handler, peer=peer))
        if cookie is None and reply.set_cookie is not None:
            self.cookie = reply.cookie
        return reply

    def values(self, cookie: str | None = None) -> dict[str, Any]:
        """Return the values in the session of that cookie."""
        held: dict[str, Any] = self.ask(dict, cookie).result
        return held

    @property
    def session_id(self) -> str:
        """The id of the session that the main browser presents."""
        return _id_of(self.cookie)

    def of(self, user: str) -> list[SessionInfo]:
        """Return a user's sessions; a store without an index is asked for each that began here."""
        shown = self.sessions.sync
        if Capability.OWNERS in context_of(self.sessions).store.capabilities:
            return shown.of(user)
        infos = [shown.show(each) for each in dict.fromkeys(map(_id_of, self.issued))]
        return [info for info in infos if info is not None and info.user == user]

    def events_of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def _id_of(cookie: str) -> str:
    return cookie.partition("=")[2][:_ID]
