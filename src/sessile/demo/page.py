"""What the page shows, as plain values. Pure: ``routes.front`` fetches, the templates show."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Self, cast

from sessile import Session, SessionInfo
from sessile.balance import Affinity
from sessile.core.value import Instant
from sessile.demo import cart
from sessile.demo.catalogue import ITEMS, Currency, Item
from sessile.demo.clock import Clock, clocks
from sessile.demo.fleet.message import Member, View
from sessile.demo.moment import ago, span, stamp
from sessile.demo.settings import Settings
from sessile.demo.users import ACCOUNTS
from sessile.service.parts import Parts

AFFINITIES: Final = {
    Affinity.NONE: "Round robin",
    Affinity.COOKIE: "Cookie",
    Affinity.ADDRESS: "Address",
}


class Notice(Enum):
    """What is said once without being kept anywhere."""

    NONE = ""
    OUT = "You are logged out. The session ended on every server; the cookie went after it."
    STALE = (
        "Your browser showed the ticket of a session that has ended. "
        "No server accepts it any more, so you are a stranger here."
    )


@dataclass(frozen=True, slots=True)
class Facts:
    """One session, as its owner may see it."""

    id: str
    age: str
    version: int
    store: str
    assurance: int
    remembered: bool
    authenticated: str
    clocks: list[Clock]
    values: list[tuple[str, str]]

    @classmethod
    def of(cls, session: Session, parts: Parts, now: Instant) -> Self | None:
        """Return the facts; None when nothing is kept for this visitor."""
        record = session.record
        if record is None:
            return None
        proven = record.authenticated_at
        return cls(
            id=session.id,
            age=span(now - record.created),
            version=record.version,
            store=parts.store.name.partition("://")[0],
            assurance=session.assurance,
            remembered=record.persistent,
            authenticated="" if proven is None else ago(proven, now),
            clocks=clocks(parts.policy, record, now),
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
    current: bool
    remembered: bool

    @classmethod
    def of(cls, info: SessionInfo, now: Instant) -> Self:
        """Return what is shown of it."""
        return cls(
            id=info.id,
            name=info.device,
            created=ago(info.created, now),
            seen=ago(info.last_seen, now),
            seen_at=stamp(info.last_seen),
            current=info.current,
            remembered=info.remembered,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """An item on the shelf or in the cart, with its price for that many."""

    item: Item
    count: int
    price: str

    @classmethod
    def of(cls, item: Item, count: int, currency: Currency) -> Self:
        """Return the line."""
        return cls(item, count, currency.show(item.cents * count))


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page.

    Attributes:
        server: which one made this page.
        view: all servers.
        may_order: whether this visitor may kill servers.
        served: which servers made the visitor's last pages, the newest last.
        facts: the session; None when nothing is kept for this visitor.
        account: who stands in the login form, with the password.
    """

    server: Member
    view: View
    may_order: bool
    served: tuple[str, ...]
    pages: int
    user: str | None
    facts: Facts | None
    notice: Notice
    flashes: Sequence[tuple[str, str]]
    devices: Sequence[Device]
    shelf: Sequence[Line]
    cart: Sequence[Line]
    total: str
    settings: Settings
    account: tuple[str, str]

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        name: str,
        view: View,
        parts: Parts,
        now: Instant,
        devices: Sequence[SessionInfo],
        notice: Notice,
        wish: str,
        may_order: bool,
    ) -> Self:
        """Return the page for a session.

        Args:
            session: the visitor's; its waiting messages are taken.
            name: the server's.
            view: all servers.
            parts: of the sessions.
            now: the time.
            devices: the user's sessions.
            notice: what to say beside the messages.
            wish: who is to stand in the login form.
            may_order: whether this visitor may kill servers.
        """
        flashes, settings = session.flashes(), Settings.of(session)
        currency, chosen = settings.currency, cart.contents(session)
        user = wish if wish in ACCOUNTS else next(iter(ACCOUNTS))
        return cls(
            server=next(member for member in view.members if member.name == name),
            view=view,
            may_order=may_order,
            served=tuple(cast("list[str]", session.get("served", []))),
            pages=cast("int", session.get("pages", 0)),
            user=session.user,
            facts=Facts.of(session, parts, now),
            notice=notice,
            flashes=flashes,
            devices=[Device.of(info, now) for info in devices],
            shelf=[Line.of(item, 1, currency) for item in ITEMS.values()],
            cart=[Line.of(item, count, currency) for item, count in chosen.items()],
            total=currency.show(sum(item.cents * count for item, count in chosen.items())),
            settings=settings,
            account=(user, ACCOUNTS[user]),
        )
