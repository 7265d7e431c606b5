"""What is open ends with its session, over any store: whoever watches is told, and of nothing else.

How soon, and by what, is the business of ``service.watchers``: here their rounds go by hand.
"""

from collections.abc import Callable
from functools import partial

import pytest

from sessile.core.life import OpenSession, open_life
from sessile.core.policy import OnReplay, Policy, hours, minutes
from sessile.core.session import state_of
from sessile.service.alive import find_alive, is_alive
from sessile.service.manage import end_everybody
from sessile.service.sessions import context_of
from sessile.service.watch import look
from sessile.service.watchers import Waker, Watchers
from sessile.stores.contract import Capability, Key, Store
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    Act,
    Stories,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.world import ABROAD, World

_TOMBSTONES_ARE_GONE = minutes(5)


class HandGone:
    """Rounds that go when a promise says so."""

    def wake(self) -> None:
        """Wait for the promise."""

    wake_from_thread = close = wake

    async def aclose(self) -> None:
        """Do nothing: none is under way."""


class WatchedSocket:
    """What the main browser of a world has open: it is told once its session has ended.

    Args:
        world: whose browser has a session that lives.
        waker: of its watchers.
        is_fresh: whether they rely on the store's feed, and ask of themselves for nothing.

    Attributes:
        watchers: those that it is among.
    """

    def __init__(self, world: World, *, waker: Waker | None = None, is_fresh: bool = False) -> None:
        context = context_of(world.sessions)
        self._world, self._timer = world, FakeClock(0.0)
        self._told: list[bool] = []
        self._errors: list[Exception] = []
        self.watchers = Watchers(
            partial(look, context),
            is_fresh=lambda: is_fresh,
            every=1.0,
            clock=world.clock,
            tell=self._errors.append,
            timer=self._timer,
        )
        self.watchers.waker = waker or HandGone()
        life = world.ask(lambda session: open_life(context.policy, state_of(session))).result
        assert life is not None
        self.watchers.add(life, partial(self._told.append, True))

    def is_open(self) -> bool:
        """Have a round gone; tell whether nothing ended the socket."""
        self._timer.advance(1.0)
        self._world.drive(self.watchers.go())
        assert self._errors == []
        assert len(self._told) <= 1
        return not self._told


def _ask(act: Act) -> Callable[[World], object]:
    return lambda world: world.ask(act)


def _end(world: World) -> None:
    world.sessions.sync.end(world.session_id)


def _end_all(world: World) -> None:
    world.sessions.sync.end_all("alice")


def _end_everybody(world: World) -> None:
    world.drive(end_everybody(context_of(world.sessions)))


def _pass(seconds: float) -> Callable[[World], object]:
    return lambda world: world.clock.advance(seconds)


ENDS = {
    "logout": _ask(logs_out),
    "end": _end,
    "end everybody": _end_everybody,
    "login of the same user": _ask(logs_in()),
    "login of another user": _ask(logs_in("bob")),
    "half a login": _ask(lambda session: session.begin_login("bob")),
    "its idle time": _pass(Policy().idle),
}


class Watching(Stories):
    """What is open ends with its session, and with nothing else."""

    @pytest.mark.parametrize("way", ENDS)
    @pytest.mark.parametrize("user", ["alice", None])
    def test_socket_ends_with_its_session(
        self, store: Store, drive: Drive, way: str, user: str | None
    ) -> None:
        """However it ends, whoever is logged in to it; and it is told once."""
        world = World(store, drive)
        world.ask(puts(v=1) if user is None else logs_in(user))
        socket = WatchedSocket(world)
        assert socket.is_open()
        ENDS[way](world)

        assert not socket.is_open()
        assert not socket.is_open()

    @pytest.mark.parametrize("way", ENDS)
    @pytest.mark.parametrize("user", ["alice", None])
    def test_session_tells_whether_it_lives(
        self, store: Store, drive: Drive, way: str, user: str | None
    ) -> None:
        """Whoever cannot be told asks: ``session.alive()``. A visitor without one is told no."""
        world = World(store, drive)
        alive = partial(is_alive, context_of(world.sessions))
        assert not drive(alive(world.ask(state_of).result))
        world.ask(puts(v=1) if user is None else logs_in(user))
        state = world.ask(state_of).result
        assert drive(alive(state))
        ENDS[way](world)

        assert not drive(alive(state))

    def test_session_of_another_user_is_none_that_lives(self, store: Store, drive: Drive) -> None:
        """What somebody has open is never taken for anybody else's, whatever its key."""
        world = self.world_with_login(store, drive)
        key, context = Key(world.session_id), context_of(world.sessions)
        found = [
            drive(find_alive(context, OpenSession(key, who))) for who in ("alice", "bob", None)
        ]

        assert [record is not None for record in found] == [True, False, False]

    @needs(Capability.OWNERS)
    def test_socket_ends_with_all_sessions_of_its_user(self, store: Store, drive: Drive) -> None:
        """As when a password was changed."""
        world = self.world_with_login(store, drive)
        socket = WatchedSocket(world)
        _end_all(world)

        assert not socket.is_open()

    @needs(Capability.OWNERS)
    def test_socket_ends_with_a_session_over_the_limit(self, store: Store, drive: Drive) -> None:
        """A login elsewhere ends it."""
        world = self.world_with_login(store, drive, policy=Policy(limit=1))
        socket = WatchedSocket(world)
        world.ask(logs_in(), cookie="")

        assert not socket.is_open()

    @pytest.mark.parametrize("act", [reads, puts(v=1), rotates])
    def test_socket_stays_while_its_session_is_used(
        self, store: Store, drive: Drive, act: Act
    ) -> None:
        """A write and a rotation change nothing for it; the idle clock is that of the session."""
        world = self.world_with_login(store, drive)
        socket = WatchedSocket(world)
        for _ in range(10):
            world.clock.advance(minutes(20))
            world.ask(act)
            assert socket.is_open()
        world.clock.advance(minutes(30))

        assert not socket.is_open()

    def test_socket_is_no_sign_of_life(self, store: Store, drive: Drive) -> None:
        """However often it is looked at, the clocks run on."""
        world = self.world_with_login(store, drive)
        socket = WatchedSocket(world)
        for _ in range(29):
            world.clock.advance(minutes(1))
            assert socket.is_open()
        world.clock.advance(minutes(1))

        assert not socket.is_open()

    def test_socket_goes_on_with_a_step_up(self, store: Store, drive: Drive) -> None:
        """Its session goes on under a new id; long after it ends with that one."""
        world = self.world_with_login(store, drive)
        socket = WatchedSocket(world)
        for _ in range(3):
            world.ask(steps_up())
            assert socket.is_open()
            world.clock.advance(_TOMBSTONES_ARE_GONE)
            world.drive(store.sweep(world.clock()))
            world.ask(reads)
            assert socket.is_open()
        world.ask(logs_out)

        assert not socket.is_open()

    def test_socket_ends_when_its_session_locks(self, store: Store, drive: Drive) -> None:
        """Locked is nobody's. Unlocked it is another one's: a new socket's."""
        world = self.world_with_login(store, drive, policy=Policy(lock=hours(2)))
        socket = WatchedSocket(world)
        world.clock.advance(minutes(30))
        assert not socket.is_open()
        world.ask(unlocks)
        socket = WatchedSocket(world)

        assert socket.is_open()

    @pytest.mark.parametrize("on_replay", [OnReplay.END_SESSION, OnReplay.LOCK])
    def test_socket_ends_with_a_theft(
        self, store: Store, drive: Drive, on_replay: OnReplay
    ) -> None:
        """A used ticket that comes back from elsewhere ends the session, or locks it."""
        world = self.world_with_login(store, drive, policy=Policy(on_replay=on_replay))
        stolen = world.cookie
        world.ask(rotates)
        world.ask(reads)
        socket = WatchedSocket(world)
        world.clock.advance(minutes(5))
        world.ask(reads, cookie=stolen, peer=ABROAD)

        assert not socket.is_open()
