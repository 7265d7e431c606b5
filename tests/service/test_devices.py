"""The device of a login: whether it is remembered, and under which name. Limits are promises."""

import pytest

from sessile.core.flow import run
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World


@pytest.mark.parametrize(("given", "persistent"), [("on", True), (None, False), (1, True)])
def test_remember_takes_what_a_form_gives(given, persistent):
    """``remember=form.get("remember")`` makes a session that can be opened."""
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
