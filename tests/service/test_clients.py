"""Where a session's client is: what the socket says, or a proxy that the application trusts."""

import pytest

from sessile import Proxies, Sessions
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.core.ticket import ENTROPY, Ticket
from sessile.service.commit import commit
from sessile.service.events import RefusalReason, Refused
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore

CLIENT, PROXY, WISH = "192.0.2.7", "10.0.0.1", "203.0.113.9"


def address_of_a_login(proxies, peer, header):
    sessions = Sessions(store=MemoryStore(), proxies=proxies)
    headers = dict.fromkeys(("x-forwarded-for", "forwarded", "x-real-ip"), header)
    transaction = run(open_transaction(context_of(sessions), PlainRequest(headers, peer=peer)))
    Session(transaction.state).login("alice")
    run(commit(transaction))
    (info,) = sessions.sync.of("alice")
    return info.address


@pytest.mark.parametrize(
    ("proxies", "peer", "header", "address"),
    [
        (None, CLIENT, WISH, CLIENT),
        (Proxies(["10.0.0.0/8"]), CLIENT, WISH, CLIENT),
        (Proxies(["10.0.0.0/8"]), PROXY, CLIENT, CLIENT),
        (Proxies(["10.0.0.0/8"]), PROXY, f"{WISH}, {CLIENT}", CLIENT),
        (Proxies(["10.0.0.0/8"]), PROXY, f"{WISH}, {CLIENT}, 10.0.0.2", CLIENT),
    ],
)
def test_no_client_names_its_own_address(proxies, peer, header, address):
    """A header counts if a trusted proxy sent it, and then from its right end alone."""
    assert address_of_a_login(proxies, peer, header) == address


@pytest.mark.parametrize("ticket", ["junk", Ticket.mint(bytes(ENTROPY)).reveal()])
def test_guess_is_told_with_the_address_it_came_from(ticket):
    """Whoever counts guesses by address has the one behind the trusted proxies."""
    told = []
    sessions = Sessions(store=MemoryStore(), proxies=Proxies(["10.0.0.0/8"]), hooks=[told.append])
    headers = {"cookie": f"__Host-sid={ticket}", "x-forwarded-for": f"{WISH}, {CLIENT}"}
    run(open_transaction(context_of(sessions), PlainRequest(headers, peer=PROXY)))
    (event,) = told

    assert isinstance(event, Refused)
    assert event.reason is (RefusalReason.SHAPE if ticket == "junk" else RefusalReason.UNKNOWN)
    assert event.client is not None
    assert event.client.address == CLIENT
