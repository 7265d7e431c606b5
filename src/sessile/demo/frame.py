"""What stands around every page: who is there, where they are, what they are told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self
from urllib.parse import urlencode

from sessile import Session
from sessile.core.identity import Lock
from sessile.demo import cart
from sessile.demo.settings import Settings


class PagePath(Enum):
    """The pages, by their path."""

    SHOP = "/"
    EXPERIMENTS = "/experiments"
    CHECKOUT = "/checkout"
    ACTIVITY = "/activity"
    THEFT = "/theft"
    NODES = "/nodes"


class Notice(Enum):
    """What is said once without being kept anywhere."""

    NONE = ""
    OUT = "You are logged out. The session ended on every server; the cookie went after it."
    WRONG = "That is not the password. The session stays locked."
    STALE = (
        "Your browser showed the ticket of a session that has ended. "
        "No server accepts it any more, so you are a stranger here."
    )
    ENDED = (
        "Nothing was done: the session of that click has ended. "
        "No server accepts its ticket any more, so you are a stranger here."
    )
    BACK = "The store answers again. Nobody was logged out, and what was in your session is there."
    LOCKED = (
        "Your browser's ticket is genuine, and yet no server opens its session to you: "
        "it is locked until its owner gives the password, and keeps nothing meanwhile."
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a page.

    Attributes:
        path: which page it is; None for one that has no place of its own, as an error.
        here: where its own link leads: the same page, without its messages.
        servers: how many there are.
        has_session: whether a session was asked for. Where the store does not answer nobody knows
            who the visitor is.
        has_cookie: whether the browser showed a ticket.
        stopped: seconds until the store starts by itself; 0 while it runs.
        reads_on: whether readers are served from copies until then.
        has_nodes: whether the demo runs the store's nodes, which have a page.
        is_away: whether those take nothing from this server just now.
        is_live: whether there is a session, of whose end the page is told.
        user: who is logged in.
        lock: why the session is locked; None when it is not.
        locked_user: whose it is then.
        pieces: how many are in the cart.
        settings: how the page looks.
        notice: what to say beside the messages.
        flashes: the messages, now taken.
    """

    path: PagePath | None
    here: str
    servers: int
    stopped: int = 0
    reads_on: bool = False
    has_nodes: bool = False
    is_away: bool = False
    has_session: bool = False
    has_cookie: bool = False
    is_live: bool = False
    user: str | None = None
    lock: Lock | None = None
    locked_user: str | None = None
    pieces: int = 0
    settings: Settings = Settings()
    notice: Notice = Notice.NONE
    flashes: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        path: PagePath | None,
        servers: int,
        stopped: int,
        reads_on: bool,
        has_nodes: bool,
        is_away: bool,
        query: Mapping[str, str],
        presented: bool,
    ) -> Self:
        """Return the frame for a session.

        Args:
            session: the visitor's; its waiting messages are taken, if that can be stored.
            path: which page it is; None for none of its own.
            servers: how many there are.
            stopped: seconds until the store starts by itself; 0 while it runs.
            reads_on: whether readers are served from copies until then.
            has_nodes: whether the demo runs the store's nodes.
            is_away: whether those take nothing from this server just now.
            query: of the page's address.
            presented: whether the browser showed a ticket.
        """
        return cls(
            path=path,
            here=_here(path, query.get("result", "")),
            servers=servers,
            stopped=stopped,
            reads_on=reads_on,
            has_nodes=has_nodes,
            is_away=is_away,
            has_session=True,
            has_cookie=presented,
            is_live=not session.new and session.lock is None,
            user=session.user,
            lock=session.lock,
            locked_user=session.locked_user,
            pieces=cart.contents(session).total(),
            settings=Settings.of(session),
            notice=_notice(session, query.get("notice", ""), presented=presented),
            flashes=() if stopped or is_away else session.flashes(),
        )


def _here(path: PagePath | None, result: str) -> str:
    """Return the link of a page to itself, with the result that it shows."""
    place = PagePath.SHOP.value if path is None else path.value
    return f"{place}?{urlencode({'result': result})}" if result else place


def _notice(session: Session, asked: str, *, presented: bool) -> Notice:
    """Return the notice for a session without a user: it keeps no messages of its own."""
    if session.lock is not None:
        return Notice.WRONG if asked == "wrong" else Notice.LOCKED
    if asked == "back":
        return Notice.BACK
    if not session.new:
        return Notice.NONE
    if asked == "out":
        return Notice.OUT
    if asked == "ended" and presented:
        return Notice.ENDED
    return Notice.STALE if presented else Notice.NONE
