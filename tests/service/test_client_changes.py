"""WebSockets from another client than the session's: who takes the new ticket, and who cannot."""

from sessile import Policy
from sessile.core.binding import Binding, OnMismatch
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.service.commit import accept, save_midway
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, FIREFOX, HOME, World


def logs_in(session):
    session.login("alice")


def moved_socket():
    """Return a world that turns tickets, and the transaction of a WebSocket from elsewhere."""
    world = World(MemoryStore(), run, policy=Policy(binding=Binding(on_mismatch=OnMismatch.ROTATE)))
    world.ask(logs_in)
    said = PlainRequest({"cookie": world.cookie, "user-agent": FIREFOX}, peer=ABROAD)
    return world, run(open_transaction(context_of(world.sessions), said))


def test_handshake_from_elsewhere_turns_the_ticket():
    """A WebSocket that moves a session takes the new ticket with its accept, as a request would."""
    world, transaction = moved_socket()
    ((_, cookie),) = run(accept(transaction))

    assert cookie.partition(";")[0] != world.cookie
    assert world.ask(dict, cookie=cookie.partition(";")[0], peer=ABROAD).user == "alice"


def test_socket_that_cannot_bring_a_ticket_moves_nothing():
    """Where no cookie can be sent the session stays with its client, and what was set is saved."""
    world, transaction = moved_socket()
    Session(transaction.state)["v"] = 1
    assert run(save_midway(transaction))
    (info,) = world.sessions.sync.of("alice")

    assert (info.address, [line.what for line in info.trail]) == (HOME, ["login"])
    assert world.values() == {"v": 1}
    assert world.ask(dict, cookie=world.cookie, peer=ABROAD).set_cookie is not None
