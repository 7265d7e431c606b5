"""The key ring of a server, and values that it cannot open."""

import pytest

from sessile import Sessions
from sessile.core.flow import run
from sessile.core.record import pack
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import WeakSecret
from sessile.service import events
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import NEWER, SECRET, World


def test_ring_is_bounded():
    """What a stranger's ticket costs grows with the ring, so a ring has four secrets at most."""
    many = [f"{NEWER}{n}" for n in range(5)]
    with pytest.raises(WeakSecret, match="retire the oldest"):
        Sessions(store=MemoryStore(), secrets=many)

    assert Sessions(store=MemoryStore(), secrets=[SECRET, *many[:3]])


def test_server_without_secrets_opens_no_sealed_session():
    """A server that was given no secrets takes a sealed record for absent, and harms it not."""
    store = MemoryStore()
    right = World(store, run)
    right.ask(lambda s: (s.update(cart=[1]), s.login("alice")))
    wrong = Sessions(store=store, clock=right.clock)
    request = PlainRequest({"cookie": right.cookie})
    transaction = run(open_transaction(context_of(wrong), request))
    session = Session(transaction.state)
    seen = (session.user, session.get("cart"))
    run(commit(transaction))

    assert seen == (None, None)
    assert right.values() == {"cart": [1]}


def test_reader_of_a_corrupt_value_writes_nothing():
    """A value that cannot be read counts as absent and is told; reading does not remove it."""
    store = MemoryStore()
    world = World(store, run)
    sessions = Sessions(store=store, clock=world.clock, hooks=[world.events.append])
    world.sessions = sessions
    world.ask(lambda s: s.update(a=1, b=2))
    (key,), sealer = store._rows, context_of(sessions).sealer
    row, _ = sealer.seal(run(store.read(key)), {"b": b"\xc1"}, frozenset())
    store._rows[key] = pack(row)
    version = sessions.sync.show(key).version
    held = world.ask(lambda s: ("b" in s, s.get("b"), s["a"])).result

    assert held[1:] == (None, 1)
    assert world.events_of(events.Malformed)
    assert sessions.sync.show(key).version == version
    world.ask(lambda s: s.update(b=3))
    assert world.values() == {"a": 1, "b": 3}
