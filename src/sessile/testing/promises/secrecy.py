"""What a thief finds in a store, and a reader in a log: nothing that opens a session.

The one group that goes through ``service``, because a store is never told a ticket.
"""

import base64
import traceback

import pytest

from sessile.core.flow import Flow
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.ticket import Ticket
from sessile.errors import StoreUnavailable
from sessile.service.commit import commit
from sessile.service.context import Context
from sessile.service.open import open_transaction
from sessile.service.sessions import Sessions, context_of
from sessile.stores.contract import Store
from sessile.testing.clock import FakeClock, SeededEntropy
from sessile.testing.drive import Drive
from sessile.testing.place import Place, needs

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
    answer = await commit(transaction)
    assert answer is not None
    text = answer[1].partition(";")[0].partition("=")[2]
    ticket = Ticket.parse(text)
    assert ticket is not None
    return ticket


def application(store: Store) -> tuple[Context, str]:
    """Return an application's context on this store, and the start of its Cookie header."""
    secret = base64.urlsafe_b64encode(SeededEntropy(7)(32))
    sessions = Sessions(store=store, secrets=[secret], clock=FakeClock(), entropy=SeededEntropy())
    return context_of(sessions), f"{sessions.cookie.full_name}="


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
