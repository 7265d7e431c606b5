"""Whose a stale ticket is: the session's own client, by the record and the lines of its trail."""

import pytest

from sessile.core.binding import AddressMatch, AgentMatch, Binding
from sessile.core.client import Client
from sessile.core.flow import run
from sessile.core.policy import Policy
from sessile.core.record import evolve
from sessile.core.request import PlainRequest
from sessile.core.trail import CLIENT_CHANGED, TURNED_AWAY, extend_trail, pack_trail
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.service.stale import is_own_client
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import T0
from sessile.testing.sample import record
from sessile.testing.world import ABROAD, FIREFOX, HOME, NEARBY, World

OWN = Client(HOME, "Firefox", "Linux")
MOVED = Client(ABROAD, "Firefox", "Linux")
OTHER = Client(HOME, "Chrome", "Linux")


def judged(*lines, bound=OWN, **binding):
    """Tell whether Firefox at home is taken for the own client, after these lines of the trail."""
    world = World(MemoryStore(), run, policy=Policy(binding=Binding(**binding)))
    request = PlainRequest({"user-agent": FIREFOX}, peer=HOME)
    transaction = run(open_transaction(context_of(world.sessions), request))
    trail = ()
    for at, what, client in lines:
        trail = extend_trail(trail, at, client, what)
    held = evolve(record(owner="alice", client=bound), past=pack_trail(trail))
    return is_own_client(transaction, held, T0)


@pytest.mark.parametrize("bound", [OWN, Client(NEARBY, "Firefox"), Client(HOME), Client()])
def test_client_that_the_record_knows_is_its_own(bound):
    """As far as the binding asks, and as far as anything is known of it."""
    assert judged(bound=bound)


@pytest.mark.parametrize("bound", [MOVED, OTHER])
def test_client_that_the_record_does_not_know_is_another(bound):
    """Another network, or another browser."""
    assert not judged(bound=bound)


@pytest.mark.parametrize("who", [MOVED, OTHER])
@pytest.mark.parametrize("what", [CLIENT_CHANGED, TURNED_AWAY])
def test_client_that_was_seen_since_leaves_nobody_trusted(what, who):
    """From the moment at which the ticket gave way, by the slowest clock, and not before."""
    assert not judged((T0 - 60, what, who))
    assert not judged((T0 + 60, what, who), (T0 + 61, what, OWN))
    assert judged((T0 - 60.001, what, who))


def test_own_return_and_other_lines_are_no_sign_of_anybody():
    """The client's own move back, a note from elsewhere, a neighbour's address."""
    assert judged((T0, CLIENT_CHANGED, OWN), (T0, "changed the password", MOVED))
    assert judged((T0, CLIENT_CHANGED, Client(NEARBY, "Firefox", "Android")))


def test_what_is_ignored_tells_nobody_apart():
    """A policy that looks at no browser, or at no address, takes them all for the same."""
    assert judged((T0, CLIENT_CHANGED, OTHER), bound=OTHER, agent=AgentMatch.IGNORE)
    assert judged((T0, CLIENT_CHANGED, MOVED), bound=MOVED, address=AddressMatch.IGNORE)
