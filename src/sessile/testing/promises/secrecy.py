"""What a thief finds in a store, and a reader in a log: nothing that opens a session.

The one group that goes through ``service``, because a store is never told a ticket.
"""

import base64
import itertools
import traceback
from collections.abc import Iterator
from typing import Final

import pytest

from sessile.core.flow import Flow
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.ticket import ENTROPY, Ticket
from sessile.errors import StoreUnavailable
from sessile.service.commit import commit
from sessile.service.context import Context
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.stores.contract import Capability, Store
from sessile.testing.clock import FakeClock, SeededEntropy
from sessile.testing.drive import Drive
from sessile.testing.error_report import report_error
from sessile.testing.place import Place, needs
from sessile.testing.step import Stepped
from sessile.testing.world import SECRET, Handler
from sessile.wire import system

PASSWORD = "correct-horse-battery"  # noqa: S105  (a password to look for)
VALUE = "4000 0000 0000 0002"


async def request(context: Context, cookies: str, value: str) -> Ticket:
    """Make a request that logs in or rotates, and return the ticket it was given."""
    transaction = await open_transaction(context, PlainRequest({"cookie": cookies}))
    session = Session(transaction.state)
    if session.user is None:
        session.login("alice")
    else:
        session.rotate()
    session["card"] = value
    _, line = (await commit(transaction))[-1]  # a freshness hint stands before it
    text = line.partition(";")[0].partition("=")[2]
    ticket = Ticket.parse(text)
    assert ticket is not None
    return ticket


def application(store: Store) -> tuple[Context, str]:
    """Return an application's context on this store, and the start of its Cookie header."""
    secret = base64.urlsafe_b64encode(SeededEntropy(7)(32))
    sessions = Sessions(store=store, secrets=[secret], clock=FakeClock(), entropy=SeededEntropy())
    return context_of(sessions), f"{sessions.cookie.full_name}="


def stores_a_card(session: Session) -> None:
    """Change a value, beside what an act of another kind does."""
    session["card"] = VALUE


def stores_another_card(session: Session) -> None:
    """Change a value that is not there yet after ``logs_in``."""
    session["next card"] = VALUE


def logs_in(session: Session) -> None:
    """Log in, with a value in the session."""
    session["card"] = VALUE
    session.login("alice")


def rotates(session: Session) -> None:
    """Ask for the next ticket."""
    session.rotate()


def steps_up(session: Session) -> None:
    """Go on in a new session."""
    session.step_up("pay", factors=("totp",))


def logs_out(session: Session) -> None:
    """End the session."""
    session.logout()


ACTS: Final[dict[str, Handler]] = {
    "begin": stores_a_card,
    "log in at once": logs_in,
    "read": dict,
    "show a fresh ticket": dict,
    "save": stores_another_card,
    "rotate": rotates,
    "log in": logs_in,
    "step up": steps_up,
    "log out": logs_out,
}
"""What a request may be on its way to when its store fails."""

BEGINNING: Final = ("begin", "log in at once")


class Drawn:
    """An application on a store, and all that must be seen nowhere."""

    def __init__(self, store: Store) -> None:
        self._drawn: list[Ticket] = []
        self._sessions = Sessions(
            store=store, secrets=[SECRET], clock=FakeClock(), entropy=self._draw
        )

    def _draw(self, size: int) -> bytes:
        drawn = system.entropy(size)
        if size == ENTROPY:
            self._drawn.append(Ticket.mint(drawn))
        return drawn

    async def request(self, cookie: str, act: Handler) -> str:
        """Make a request as a flow; return the Cookie header of the next one."""
        context = context_of(self._sessions)
        transaction = await open_transaction(context, PlainRequest({"cookie": cookie}))
        act(Session(transaction.state))
        given = await commit(transaction)
        return given[0][1].partition(";")[0] if given else cookie

    def secrets(self) -> Iterator[str]:
        """Yield every text that gives a secret away."""
        yield from (SECRET, VALUE)
        for drawn in self._drawn:
            for ticket in (drawn, drawn.successor(SECRET.encode())):
                yield ticket.reveal()[len(ticket.key) :]
                yield repr(ticket.verifier)[2:-1]
                yield ticket.verifier.hex()


class Secrecy:
    """A dump of the backend opens no session; no name or error shows a password."""

    @needs(Place.dump)
    def test_dump_holds_no_ticket(self, store: Store, drive: Drive, place: Place) -> None:
        """After a login and a rotation the dump holds the session's id, and neither verifier."""
        context, cookie = application(store)
        first = drive(request(context, "", VALUE))
        second = drive(request(context, cookie + first.reveal(), VALUE))
        dump = place.dump()

        assert first.key.encode() in dump
        for ticket in (first, second):
            assert ticket.verifier not in dump
            assert ticket.verifier.hex().encode() not in dump
            assert ticket.reveal()[len(ticket.key) :].encode() not in dump

    @needs(Place.dump)
    def test_dump_holds_no_value_in_plain(self, store: Store, drive: Drive, place: Place) -> None:
        """When secrets are given, what the application stored is nowhere in the dump."""
        context, _ = application(store)
        ticket = drive(request(context, "", VALUE))
        dump = place.dump()

        assert ticket.key.encode() in dump
        assert VALUE.encode() not in dump

    @needs(Place.open_with_password)
    def test_password_is_not_shown(self, drive: Drive, place: Place) -> None:
        """Neither a store's name and text nor the error of a failed connection has its password."""
        guarded = place.open_with_password(PASSWORD)
        try:
            ping: Flow[None] = guarded.ping()
            with pytest.raises(StoreUnavailable) as refused:
                drive(ping)
        finally:
            drive(guarded.close())
        told = "".join(traceback.format_exception(refused.value))

        assert PASSWORD not in f"{guarded.name} {guarded!r} {guarded} {told}"
        assert PASSWORD not in report_error(refused.value)

    @pytest.mark.parametrize("what", ACTS)
    def test_failure_shows_no_secret(self, store: Store, drive: Drive, what: str) -> None:
        """Whichever command fails, no frame that the error passes through shows a secret.

        Error trackers keep the locals of those frames and send them away. Nothing there shows a
        ticket that was presented or drawn, its verifier, a value, or a secret of the key ring.
        """
        acts = ACTS[what]
        for number in itertools.count():
            site = Drawn(store)  # that remembers no outage
            cookie = "" if what in BEGINNING else drive(site.request("", logs_in))
            if what == "show a fresh ticket":
                cookie = drive(site.request(cookie, rotates))
            request = Stepped(site.request(cookie, acts), drive)
            for _ in range(number):
                if request.ask is not None:  # a script that the server has is one command less
                    request.step()
            if request.ask is None:
                break
            request.fail(StoreUnavailable(store.name, "out of order"), is_done=False)
            error = request.finish().error
            report = "" if error is None else report_error(error)
            for secret in site.secrets():
                assert secret not in report

        has_copies = Capability.COPIES in store.capabilities
        assert number > 0 or has_copies, "it asked nothing of the store"
