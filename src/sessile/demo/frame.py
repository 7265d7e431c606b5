"""What stands around every page: who is there, where they are, what they are told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from sessile import Session
from sessile.core.identity import Lock
from sessile.demo import cart
from sessile.demo.settings import Settings


class PagePath(Enum):
    """The pages, by their path."""

    SHOP = "/"
    CHECKOUT = "/checkout"
    ACTIVITY = "/activity"
    THEFT = "/theft"


class Notice(Enum):
    """What is said once without being kept anywhere."""

    NONE = ""
    OUT = "You are logged out. The session ended on every server; the cookie went after it."
    WRONG = "That is not the password. The session stays locked."
    STALE = (
        "Your browser showed the ticket of a session that has ended. "
        "No server accepts it any more, so you are a stranger here."
    )
    LOCKED = (
        "Your browser's ticket is genuine, and yet no server opens its session to you: "
        "it is locked until its owner gives the password, and keeps nothing meanwhile."
    )


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a page.

    Attributes:
        path: which page it is.
        servers: how many there are.
        user: who is logged in.
        lock: why the session is locked; None when it is not.
        locked_user: whose it is then.
        pieces: how many are in the cart.
        settings: how the page looks.
        notice: what to say beside the messages.
        flashes: the messages, now taken.
    """

    path: PagePath
    servers: int
    user: str | None
    lock: Lock | None
    locked_user: str | None
    pieces: int
    settings: Settings
    notice: Notice
    flashes: Sequence[tuple[str, str]]

    @classmethod
    def of(
        cls,
        session: Session,
        *,
        path: PagePath,
        servers: int,
        query: Mapping[str, str],
        presented: bool,
    ) -> Self:
        """Return the frame for a session.

        Args:
            session: the visitor's; its waiting messages are taken.
            path: which page it is.
            servers: how many there are.
            query: of the page's address.
            presented: whether the browser showed a ticket.
        """
        return cls(
            path=path,
            servers=servers,
            user=session.user,
            lock=session.lock,
            locked_user=session.locked_user,
            pieces=cart.contents(session).total(),
            settings=Settings.of(session),
            notice=_notice(session, query.get("notice", ""), presented=presented),
            flashes=session.flashes(),
        )


def _notice(session: Session, asked: str, *, presented: bool) -> Notice:
    """Return the notice for a session without a user: it keeps no messages of its own."""
    if session.lock is not None:
        return Notice.WRONG if asked == "wrong" else Notice.LOCKED
    if not session.new:
        return Notice.NONE
    if asked == "out":
        return Notice.OUT
    return Notice.STALE if presented else Notice.NONE
