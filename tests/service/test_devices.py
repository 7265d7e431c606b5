"""The device of a login: whether it is remembered, and under which name. Limits are promises."""

import pytest

from sessile.core.flow import run
from sessile.core.policy import Policy, days
from sessile.core.record import RecordKind, evolve, pack
from sessile.service.events import Malformed, NewDevice
from sessile.service.sessions import context_of
from sessile.service.subject_row import key_of
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, World


@pytest.mark.parametrize(("given", "persistent"), [(True, True), (None, False), (False, False)])
def test_remember_is_as_said(given, persistent):
    """``remember="remember" in form`` makes a session that can be opened."""
    world = World(MemoryStore(), run)
    reply = world.ask(lambda s: s.login("alice", remember=given))

    assert ("Max-Age" in reply.set_cookie) is persistent
    assert world.ask(dict).user == "alice"


def test_rise_of_assurance_keeps_device_and_remembrance():
    """Proving more says nothing of the device, so both stay as they were."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice", remember=True, device="Phone"))
    reply = world.ask(lambda s: s.login("alice", assurance=2))
    (info,) = world.sessions.sync.of("alice")

    assert (info.device, info.remembered, info.assurance) == ("Phone", True, 2)
    assert "Max-Age" in reply.set_cookie


@pytest.mark.parametrize("harm", [lambda row: b"junk", lambda row: pack(evolve(row, proof=b""))])
def test_forged_memory_of_devices_is_replaced(harm):
    """What somebody wrote in its place is told and forgotten, and the next login is remembered."""
    store = MemoryStore()
    world = World(store, run, policy=Policy(know_devices=days(9)))
    world.ask(lambda s: s.login("alice"), cookie="")
    key = key_of(RecordKind.DEVICES, "alice")
    store._rows[key] = harm(run(store.read(key)))
    world.ask(lambda s: s.login("alice"), cookie="")
    kept = run(store.read(key))

    assert [event.session for event in world.events_of(Malformed)] == [key]
    assert context_of(world.sessions).sealer.holds(kept)
    world.ask(lambda s: s.login("alice"), cookie="", peer=ABROAD)
    assert world.events_of(NewDevice)
