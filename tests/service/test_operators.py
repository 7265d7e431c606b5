"""What operators do from outside: show, list and end sessions, and sweep the expired."""

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.service import events
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World


def logs_in(session):
    session.login("alice")


def test_remains_are_no_session_for_operators():
    """What is left of an ended session is not shown, listed or ended; late requests stay late."""
    world = World(MemoryStore(), run)
    world.ask(logs_in)
    old, key = world.cookie, world.ask(lambda s: s.id).result
    world.ask(lambda s: s.logout())

    assert world.sessions.sync.show(key) is None
    assert world.sessions.sync.of("alice") == []
    assert world.sessions.sync.end(key) is False
    assert world.ask(lambda s: s.update(v=1), cookie=old).set_cookie is None
    assert world.events_of(events.Dropped)


def test_session_of_somebody_else_is_not_ended():
    """Who asks to end a session of their own ends no other, and learns nothing of it."""
    world = World(MemoryStore(), run)
    world.ask(lambda s: s.login("alice"))
    session_id = world.ask(lambda s: s.id).result
    end = world.sessions.sync.end

    assert [end(session_id, owner=who) for who in ("mallory", None, "alice")] == [
        False,
        False,
        True,
    ]


class NeverSwept(MemoryStore):
    """A store whose sweep meets a locked file."""

    async def sweep(self, now, batch=1000):
        raise StoreUnavailable(self.name, "locked")


def test_failing_sweep_fails_no_login():
    """Housekeeping that falls to a login does not turn it into an error."""
    world = World(NeverSwept(), run)
    cookies = [world.ask(logs_in, cookie="").cookie for _ in range(130)]

    assert world.ask(dict, cookie=cookies[-1]).user == "alice"
