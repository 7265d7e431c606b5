"""Stories of one session and two requests at once: what the promises of sessions are told with.

``promises.concurrency``, ``promises.tickets``, ``promises.lifetimes`` and those that hold a thief
tell them.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from sessile.core.flow import Flow
from sessile.core.policy import Policy
from sessile.core.session import Session
from sessile.service.manage import end_everybody
from sessile.service.sessions import context_of
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.step import Meeting, Stepped, interleavings
from sessile.testing.world import Reply, World

Act = Callable[[Session], Any]
CROWD = 12


def reads(session: Session) -> Any:
    """Handle a request that only looks."""
    return dict(session)


def puts(**values: Any) -> Act:
    """Handle a request that sets values."""
    return lambda session: session.update(values)


def appends(item: str) -> Act:
    """Handle a request that changes a stored list in place."""
    return lambda session: cast("list[str]", session["cart"]).append(item)


def adds(session: Session) -> Any:
    """Handle a request that counts."""
    return session.increment("hits")


def logs_in(user: str = "alice") -> Act:
    """Handle a request that logs in."""
    return lambda session: session.login(user)


def logs_out(session: Session) -> Any:
    """Handle a request that logs out."""
    session.logout()


def rotates(session: Session) -> Any:
    """Handle a request that asks for a new ticket."""
    session.rotate()


def steps_up(purpose: str | None = None) -> Act:
    """Handle a request in which the user gives another factor."""
    return lambda session: session.step_up(purpose, factors=("totp",))


def unlocks(session: Session) -> Any:
    """Handle a request in which the owner of a locked session gives a factor."""
    session.unlock(factors=("password",))


def costs(flow: Flow[Any], drive: Drive) -> list[str]:
    """Finish a flow, and return what it asked of the store."""
    asked, stepped = [], Stepped(flow, drive)
    while stepped.ask is not None:
        asked.append(stepped.ask.what)
        stepped.step()
    assert stepped.outcome is not None
    stepped.outcome.get()
    return asked


class Stories:
    """Stories of one session and two requests at once."""

    def meetings(
        self,
        store: Store,
        drive: Drive,
        a: Act,
        b: Act,
        *,
        age: float = 0.0,
        user: str | None = "alice",
        policy: Policy | None = None,
        flash: str | None = None,
    ) -> Iterator[Meeting[World, Reply, Reply]]:
        """Yield each meeting of two requests of one browser, its session ``age`` seconds old."""

        def world() -> World:
            new = World(store, drive, policy=policy)
            new.ask(puts(cart=["hat"], lang="en"))
            if flash is not None:
                new.ask(lambda session: session.flash(flash))
            if user is not None:
                new.ask(logs_in(user))
                new.ask(reads)  # its client has shown the ticket
            new.clock.advance(age)
            return new

        def request(act: Act) -> Callable[[World], Flow[Reply]]:
            return lambda world: world.request(world.cookie, act)

        return interleavings(world, request(a), request(b), drive=drive)

    def world_with_login(
        self, store: Store, drive: Drive, user: str = "alice", policy: Policy | None = None
    ) -> World:
        """Return a world whose browser is logged in, and has shown its ticket."""
        world = World(store, drive, policy=policy)
        world.ask(logs_in(user))
        world.ask(reads)
        return world

    def world_with_one_session(
        self, store: Store, drive: Drive, policy: Policy | None = None
    ) -> World:
        """Return a world whose user has that session and no other."""
        drive(end_everybody(context_of(World(store, drive).sessions)))
        return self.world_with_login(store, drive, policy=policy)
