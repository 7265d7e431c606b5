"""What the front page shows, as plain values. Pure: ``routes.front`` fetches, templates show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self, cast

from sessile import Session, SessionInfo, Sessions
from sessile.balance import Affinity
from sessile.core.value import Instant
from sessile.demo import cart
from sessile.demo.catalogue import ITEMS, Currency, Item
from sessile.demo.deadlines import Deadline, deadlines
from sessile.demo.fleet.message import FleetView, Member, ServerPhase
from sessile.demo.settings import Settings
from sessile.demo.steps import StepLink, links
from sessile.demo.times import ago, span, stamp
from sessile.demo.users import ACCOUNTS

AFFINITIES: Final = {
    Affinity.NONE: "Round robin",
    Affinity.COOKIE: "Cookie",
    Affinity.ADDRESS: "Address",
}
_KINDS: Final = {
    "sqlite": "SQLite", "redis": "Redis", "rediss": "Redis", "unix": "Redis",
    "valkey": "Valkey", "valkeys": "Valkey", "lmdb": "LMDB",
    "postgres": "Postgres", "postgresql": "Postgres",
    "nats": "NATS", "replicated": "NATS", "backup": "NATS",
}  # fmt: skip
_HINTS: Final = {
    Affinity.NONE: "Load it again and another server answers. Kill one and your session lives on.",
    Affinity.COOKIE: "Once you are logged in the same server answers: a cookie ties you to it. "
    "Kill it, or drain it first, and your session lives on in another.",
    Affinity.ADDRESS: "Load it again and the same server answers: your address ties you to it. "
    "Kill it and your session lives on in another.",
}


def kind_of(store: str) -> str:
    """Return the kind of store of that name, as people call it."""
    scheme = store.partition("://")[0].partition("+")[0]
    return _KINDS.get(scheme, scheme)


def routing_hint(view: FleetView) -> str:
    """Return the hint at what to try with the servers as they are."""
    if sum(member.phase is ServerPhase.UP for member in view.members) < 2:
        return (
            "No other server is up, and your session lives on. Restart one and it is known there."
        )
    return _HINTS[view.affinity]


@dataclass(frozen=True, slots=True)
class Facts:
    """One session, as its owner may see it."""

    id: str
    age: str
    version: int
    store: str
    assurance: int
    factors: str
    grants: list[tuple[str, str]]
    remembered: bool
    authenticated: str
    deadlines: list[Deadline]
    values: list[tuple[str, str]]

    @classmethod
    def of(cls, session: Session, sessions: Sessions, now: Instant) -> Self | None:
        """Return the facts; None when nothing is kept for this visitor, or they may not see it."""
        info = session.info
        if info is None or session.lock is not None:
            return None
        proven = session.authenticated_at
        return cls(
            id=session.id,
            age=span(now - info.created),
            version=info.version,
            store=kind_of(sessions.name),
            assurance=session.assurance,
            factors=" and ".join(session.factors),
            grants=[(name, span(end - now)) for name, end in info.grants.items() if end > now],
            remembered=info.remembered,
            authenticated="" if proven is None else ago(proven, now),
            deadlines=deadlines(sessions.policy, info, now),
            values=[(key, repr(value)) for key, value in session.items()],
        )


@dataclass(frozen=True, slots=True)
class Device:
    """One of the user's sessions."""

    id: str
    name: str
    created: str
    seen: str
    seen_at: str
    address: str
    locked: bool
    current: bool
    remembered: bool

    @classmethod
    def of(cls, info: SessionInfo, now: Instant) -> Self:
        """Return the device of a session."""
        return cls(
            id=info.id,
            name=info.device or "Unknown device",
            created=ago(info.created, now),
            seen=ago(info.last_seen, now),
            seen_at=stamp(info.last_seen),
            address=info.address or "an unknown address",
            locked=info.locked,
            current=info.current,
            remembered=info.remembered,
        )


@dataclass(frozen=True, slots=True)
class LineItem:
    """An item on the shelf or in the cart, with its price for that many."""

    item: Item
    count: int
    price: str

    @classmethod
    def of(cls, item: Item, count: int, currency: Currency) -> Self:
        """Return the line item."""
        return cls(item, count, currency.show(item.cents * count))


def lines(chosen: Mapping[Item, int], currency: Currency) -> list[LineItem]:
    """Return the line items of a cart."""
    return [LineItem.of(item, count, currency) for item, count in chosen.items()]


def total(chosen: Mapping[Item, int], currency: Currency) -> str:
    """Return the price of a cart."""
    return currency.show(sum(item.cents * count for item, count in chosen.items()))


@dataclass(frozen=True, slots=True)
class FrontPage:
    """Everything on the front page but its frame.

    Attributes:
        server: which one made this page.
        view: all servers.
        may_control: whether this visitor may kill servers.
        has_copies: whether the servers have near caches.
        hint: what there is to see, by the way clients are routed.
        steps: of the tour.
        served: which servers made the visitor's last pages, the newest last.
        facts: the session; None when nothing is kept for this visitor.
        devices: the user's sessions; None where the store does not tell.
        account: who stands in the login form, with the password.
    """

    server: Member
    view: FleetView
    may_control: bool
    has_copies: bool
    hint: str
    steps: Sequence[StepLink]
    served: tuple[str, ...]
    pages: int
    facts: Facts | None
    devices: Sequence[Device] | None
    shelf: Sequence[LineItem]
    cart: Sequence[LineItem]
    total: str
    account: tuple[str, str]

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        name: str,
        view: FleetView,
        sessions: Sessions,
        now: Instant,
        devices: Sequence[SessionInfo] | None,
        wish: str,
        may_control: bool,
        has_copies: bool,
    ) -> Self:
        """Return the page for a session.

        Args:
            session: the visitor's.
            name: the server's.
            view: all servers.
            sessions: the shop's.
            now: the time.
            devices: the user's sessions; None where the store does not tell.
            wish: who is to stand in the login form.
            may_control: whether this visitor may kill servers.
            has_copies: whether the servers have near caches.
        """
        currency, chosen = Settings.of(session).currency, cart.contents(session)
        user = wish if wish in ACCOUNTS else next(iter(ACCOUNTS))
        return cls(
            server=next(member for member in view.members if member.name == name),
            view=view,
            may_control=may_control,
            has_copies=has_copies,
            hint=routing_hint(view),
            steps=links(session),
            served=tuple(cast("list[str]", session.get("served", []))),
            pages=cast("int", session.get("pages", 0)),
            facts=Facts.of(session, sessions, now),
            devices=None if devices is None else [Device.of(info, now) for info in devices],
            shelf=[LineItem.of(item, 1, currency) for item in ITEMS.values()],
            cart=lines(chosen, currency),
            total=total(chosen, currency),
            account=(user, ACCOUNTS[user]),
        )
