"""The list of a user's evidence: what it names, and for how long. The bound itself is promised."""

import pytest

from sessile.core.flow import run
from sessile.core.policy import Policy
from sessile.core.record import RecordKind, evolve, pack
from sessile.service import evidence
from sessile.service.events import Malformed
from sessile.service.evidence import MOST_EVIDENCE
from sessile.service.sessions import context_of
from sessile.service.subject_row import key_of, read_row, write_row
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.thefts import Thefts
from sessile.testing.world import World

ALICES = (RecordKind.EVIDENCE_LIST, "alice")
LIST = key_of(*ALICES)


def suffer_theft(store):
    return Thefts().suffer_theft(store, run)


def keys_of(store, now):
    """The ids that the list names at that time."""
    context = context_of(World(store, run).sessions)
    return [key for key, _ in evidence._lines(run(read_row(context, *ALICES, now)), now)]


def test_list_lasts_as_long_as_the_newest_that_it_names():
    """What is over by itself leaves its line, and the row ends with the last one."""
    store = MemoryStore()
    first, second = suffer_theft(store), suffer_theft(store)
    row, kept = run(store.read(LIST)), run(store.read(second))

    assert keys_of(store, kept.until - 1) == [first, second]
    assert keys_of(store, kept.until) == []
    assert row.until == kept.until


@pytest.mark.parametrize("harm", [lambda row: b"junk", lambda row: pack(evolve(row, proof=b""))])
def test_forged_list_is_replaced(harm):
    """What somebody wrote in its place is told and forgotten, and the next theft begins anew."""
    store = MemoryStore()
    suffer_theft(store)
    store._rows[LIST] = harm(run(store.read(LIST)))
    world, key, stolen = Thefts().world_with_theft(store, run)
    world.ask(dict, cookie=stolen, peer="198.51.100.9")

    assert [event.session for event in world.events_of(Malformed)] == [LIST]
    assert keys_of(store, world.clock()) == [key]


def test_list_that_is_none_counts_as_empty():
    """A row whose value is another one, as of a later version, costs no answer."""
    store = MemoryStore()
    world = World(store, run)
    context, now = context_of(world.sessions), world.clock()
    row = run(read_row(context, *ALICES, now))
    run(write_row(context, row, b"\xc1 of another time", now, now + Policy().evidence))
    assert keys_of(store, now) == []

    key = suffer_theft(store)
    assert keys_of(store, now) == [key]


def test_who_loses_every_race_is_the_oldest(monkeypatch):
    """As many rivals as a list has lines were faster, so it is full of newer ones."""
    store, tries = MemoryStore(), []
    whole = evidence.write_row

    async def lose(*given):
        tries.append(await whole(*given))  # a rival's, made from the same row
        return await whole(*given)

    monkeypatch.setattr(evidence, "write_row", lose)
    key = suffer_theft(store)

    assert tries == [True] * MOST_EVIDENCE
    assert run(store.read(key)) is None
