"""A form that is sent once more after a 503, or twice at once: the recipe of docs/requests.md."""

import pytest

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.memory import MemoryStore
from sessile.testing.step import interleavings
from sessile.testing.world import World


class LosesAnswers(MemoryStore):
    """Fails the next commit: before it is carried out, or after."""

    fails = None

    async def commit(self, change):
        fails, self.fails = self.fails, None
        if fails == "before":
            raise StoreUnavailable(self.name, "no answer")
        result = await super().commit(change)
        if fails == "after":
            raise StoreUnavailable(self.name, "no answer")
        return result


def orders(key, article):
    """Handle a form as the page on requests does."""

    def handler(session):
        placed = session.setdefault("orders", {})
        if key not in placed:
            placed[key] = article
        return placed[key]

    return handler


def visitor(store):
    """Return a world whose browser has a session."""
    world = World(store, run)
    world.ask(lambda session: session.update(visited=True))
    return world


@pytest.mark.parametrize("fails", ["before", "after"])
def test_form_that_is_sent_again_counts_once(fails):
    """Whether the answer that was lost was to a commit or to none, nobody has to know."""
    store = LosesAnswers()
    world = visitor(store)
    store.fails = fails
    with pytest.raises(StoreUnavailable):
        world.ask(orders("k1", "socks"))

    assert world.ask(orders("k1", "socks")).result == "socks"
    assert world.ask(orders("k2", "hat")).result == "hat"
    assert world.values()["orders"] == {"k1": "socks", "k2": "hat"}


def test_form_that_is_sent_twice_at_once_counts_once():
    """Wherever the one falls into the other: both write the same under the same key."""
    for met in interleavings(
        lambda: visitor(MemoryStore()),
        lambda world: world.request(world.cookie, orders("k1", "socks")),
        lambda world: world.request(world.cookie, orders("k1", "socks")),
        drive=run,
    ):
        assert met.a.get().result == met.b.get().result == "socks"
        assert met.world.values()["orders"] == {"k1": "socks"}
