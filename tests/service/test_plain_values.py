"""No process holds the plain values of a session that has ended, once it knows of the end."""

import gc
from hashlib import sha256
from itertools import count

import pytest

from harness.near_servers import Pair
from sessile.core.policy import OnReplay, Policy, minutes
from sessile.core.record import RecordKind
from sessile.service.sessions import Sealing, context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.drive import Blocking
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads, rotates, steps_up
from sessile.testing.step import interleavings
from sessile.testing.world import ABROAD, NEWER, SECRET, World

POLICY = Policy(limit=1, idle=minutes(30), on_replay=OnReplay.END_SESSION)


numbers = count()


def world_of(store=None, clock=None, **more):
    """Return a server, of its own store or of another one's."""
    return World(store or MemoryStore(), Blocking(), clock=clock, policy=POLICY, **more)


def another(world):
    """Return another server on the same store."""
    return world_of(context_of(world.sessions).store, world.clock)


def begins(world):
    """Log a user in who keeps something, which is returned: nobody else in the process has it.

    It is read once more, and so remembered.
    """
    note = sha256(f"note {next(numbers)}".encode()).hexdigest()
    world.ask(logs_in())
    world.ask(puts(note=note))
    world.ask(reads)
    return note


def remembered(world):
    """List what is remembered of the main browser's session."""
    entries = [memo.get(world.session_id) for memo in context_of(world.sessions).sealer.memos]
    records = [entry[0] if isinstance(entry, tuple) else entry for entry in entries]
    return [one for one in records if one is not None and one.kind is RecordKind.SESSION]


def held(note):
    """List the bytes in the whole process that have a note in them."""
    waiting, seen, found = gc.get_objects(), set(), []
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, bytes) and note.encode() in one:
            found.append(one)
        waiting.extend(gc.get_referents(one))
    return found


def is_stolen(world):
    old = world.cookie
    world.ask(rotates)
    world.ask(reads)
    world.clock.advance(91)
    world.ask(reads, old, peer=ABROAD)


def expires(world):
    world.clock.advance(minutes(31))
    world.ask(reads, world.cookie)


def ends_elsewhere(world):
    assert another(world).sessions.sync.end(world.session_id)
    world.ask(reads, world.cookie)


def logs_out_elsewhere(world):
    another(world).ask(logs_out, world.cookie)
    world.ask(reads, world.cookie)


ENDS = {
    "logout": lambda world: world.ask(logs_out, world.cookie),
    "end": lambda world: world.sessions.sync.end(world.session_id),
    "end_all": lambda world: world.sessions.sync.end_all("alice"),
    "end_everybody": lambda world: world.sessions.sync.end_everybody(),
    "login": lambda world: world.ask(logs_in("bob"), world.cookie),
    "step up": lambda world: world.ask(steps_up(), world.cookie),
    "limit": lambda world: world.ask(logs_in(), ""),
    "theft": is_stolen,
    "time, seen by its client": expires,
    "end elsewhere, seen by its client": ends_elsewhere,
    "logout elsewhere, seen by its client": logs_out_elsewhere,
}


@pytest.mark.parametrize("sealing", Sealing)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_ended_session_is_remembered_no_more(end, sealing):
    """However it ended, and whether its values are sealed or only proved."""
    world = world_of(sealing=sealing)
    begins(world)
    assert remembered(world)
    end(world)

    assert remembered(world) == []


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_heap_holds_no_value_of_an_ended_session(end):
    """No object of the process has it: neither what the sealer remembers, nor anything else."""
    world = world_of()
    note = begins(world)
    assert held(note)
    end(world)

    assert held(note) == []


def test_session_of_before_sealing_is_remembered_no_more():
    """Its values are in plain in what was proved."""
    store = MemoryStore()
    before = world_of(store, sealing=Sealing.OFF)
    begins(before)
    world = world_of(store, before.clock, secrets=(NEWER, SECRET))
    world.cookie = before.cookie
    world.ask(reads)
    assert remembered(world)
    world.ask(logs_out, world.cookie)

    assert remembered(world) == []


def test_others_stay_remembered():
    """An end forgets one session, and not what spares all others their opening."""
    world = world_of()
    begins(world)
    other = world.ask(logs_in("bob"), "").cookie
    world.ask(logs_out, other)

    assert remembered(world)


@pytest.mark.parametrize("act", [puts(more=1), rotates, reads, logs_out])
def test_request_in_flight_leaves_nothing_behind(act):
    """Whichever of its acts at the store an end comes before."""

    def world():
        new = world_of()
        begins(new)
        new.clock.advance(minutes(20))  # so that a reader has something to write down
        return new

    def request(world):
        return world.request(world.cookie, act)

    def end(world):
        return world.request(world.cookie, logs_out)

    for meeting in interleavings(world, request, end, drive=Blocking()):
        assert remembered(meeting.world) == [], meeting.stop


@pytest.mark.parametrize("act", [logs_out, puts(note="another")])
def test_what_the_feed_names_is_remembered_no_more(act):
    """A server with a near cache hears of an end elsewhere, or of a change, and nobody comes."""
    pair = Pair(Blocking())
    begins(pair.worlds[0])
    here, there = pair.worlds
    there.cookie, there.hints = here.cookie, {**here.hints}
    for _ in range(2):
        there.ask(reads)
    pair.listen()
    there.ask(reads)
    assert remembered(there)
    here.ask(act, here.cookie)
    assert remembered(there)
    pair.listen()

    assert remembered(there) == []
