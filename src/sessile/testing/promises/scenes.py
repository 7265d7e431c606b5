"""A browser and its user, on a store that others use too: where ``interruptions`` are told."""

from dataclasses import dataclass
from typing import Any

from sessile.core.flow import Flow
from sessile.core.session import Session
from sessile.service import manage
from sessile.service.sessions import context_of
from sessile.stores.contract import Key
from sessile.testing.promises.stories import Act, puts, reads
from sessile.testing.world import World


@dataclass(frozen=True, slots=True)
class Scene:
    """A browser, a user of its own, and the store as they found it.

    Attributes:
        world: the browser's.
        user: whom nobody else is.
        before: the sessions of others.
    """

    world: World
    user: str
    before: frozenset[Key]

    def request(self, act: Act) -> Flow[Any]:
        """Return the flow of a request with the ticket that the browser holds."""
        return self.world.request(self.world.cookie, act)

    def logs_in(self, session: Session) -> None:
        """Handle a request that logs the user in."""
        session.login(self.user)

    def begins(self, session: Session) -> None:
        """Handle a request in which the user gives a first factor."""
        session.begin_login(self.user, factors=("password",))

    def live(self) -> set[Key]:
        """Return the sessions that live and are not others'."""
        return living(self.world) - self.before

    def unheld(self) -> set[Key]:
        """Return those of them that the browser has no ticket of: they are nobody's."""
        return self.live() - {self.world.ask(lambda session: session.id).result}

    def check(self, user: str | None, values: dict[str, Any], stop: str) -> None:
        """Check whose session the browser has, what is in it, and that there is no other one."""
        reply = self.world.ask(reads)
        assert (reply.user, reply.result) == (user, values), stop
        assert self.unheld() == set(), stop
        assert len(self.world.sessions.sync.of(self.user)) == (user is not None), stop


def living(world: World) -> set[Key]:
    """Return the ids of all sessions that live in a store."""
    context, found, cursor = context_of(world.sessions), set(), None
    while True:
        infos, cursor = world.drive(manage.scan(context, cursor))
        found |= {info.id for info in infos}
        if cursor is None:
            return found


def has_nothing(scene: Scene) -> None:
    """Begin as somebody who was never here."""
    assert not scene.world.cookie


def has_cart(scene: Scene) -> None:
    """Begin as a visitor with a cart."""
    scene.world.ask(puts(cart=["hat"]))


def has_logged_in(scene: Scene) -> None:
    """Begin as a user with a cart."""
    has_cart(scene)
    scene.world.ask(scene.logs_in)
    scene.world.ask(reads)  # and its ticket was shown
