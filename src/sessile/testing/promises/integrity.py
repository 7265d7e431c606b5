"""What holds against whoever can write the store and has no secret, over any store.

He can delete a record, and put an older one back as it was. Here he writes through the store's own
verbs, with everything but the secret.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

import pytest

from sessile.core.binding import Binding, OnMismatch
from sessile.core.client import Client
from sessile.core.identity import Pending
from sessile.core.life import OpenSession
from sessile.core.limit import OnLimit
from sessile.core.policy import Policy, days, hours
from sessile.core.record import Record, RecordKind, evolve, tombstone
from sessile.core.ticket import Ticket
from sessile.errors import TooManySessions
from sessile.service.alive import find_alive
from sessile.service.events import Malformed
from sessile.service.server_row import drain_server
from sessile.service.sessions import Sealing, context_of
from sessile.stores.contract import Capability, Key, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.scanning import scan_all
from sessile.testing.promises.stories import (
    Stories,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
    unlocks,
)
from sessile.testing.sample import login, record
from sessile.testing.world import ABROAD, World

OTHERS: Final[dict[str, Any]] = {
    "owner": "mallory",
    "digest": bytes(32),
    "device": "Your bank",
    "client": Client("192.0.2.9"),
    "factors": ("totp",),
    "pending": Pending("mallory", (), 1.0),
    "grants": {"pay": 1e11},
    "kind": RecordKind.EVIDENCE,
    "parent": b"parent",
    "past": b"\x90",
    "proof": b"",
    "persistent": True,
}
"""What a thief would write into a field; into those that are not here, a number."""


class Integrity(Stories):
    """A record is genuine as a whole, or it is absent."""

    @needs(Capability.SCAN)
    @pytest.mark.parametrize("sealing", list(Sealing))
    def test_every_stored_row_is_proved(self, store: Store, drive: Drive, sealing: Sealing) -> None:
        """Whatever a request, an end or a theft leaves in the store, its proof holds."""
        policy = Policy(
            know_devices=days(9),
            lock=hours(2),
            binding=Binding(on_mismatch=OnMismatch.STEP_UP),
        )
        world = World(store, drive, policy=policy, sealing=sealing)
        kinds = set()
        for act in _story(world):
            act()
            for row in scan_all(store, drive).values():
                assert isinstance(row, Record)
                assert context_of(world.sessions).sealer.holds(row), (act, row.kind.name)
                kinds.add(row.kind)

        assert kinds == set(RecordKind) - {RecordKind.MOVING}  # which stores alone write

    @pytest.mark.parametrize("sealing", list(Sealing))
    @pytest.mark.parametrize("field", sorted({*Record.__struct_fields__} - {"format", "key"}))
    def test_changed_record_is_absent(
        self, store: Store, drive: Drive, field: str, sealing: Sealing
    ) -> None:
        """Whichever field was changed, the record opens, lists and tells nothing; put back it does.

        Of its values none can be taken out, put in, or be changed alone.
        """
        world = World(store, drive, sealing=sealing)
        world.ask(puts(cart=["hat"], lang="en"))
        world.ask(logs_in())
        key = Key(world.ask(lambda session: session.id).result)
        sound = drive(store.read(key))
        assert isinstance(sound, Record)
        context = context_of(world.sessions)
        for forged in _forgeries(sound, field):
            _plant(store, drive, forged)
            world.events.clear()
            reply, sync = world.ask(reads), world.sessions.sync
            assert (reply.user, reply.result, reply.set_cookie) == (None, {}, None)
            assert [event.session for event in world.events_of(Malformed)] == [key]
            assert (sync.show(key), sync.evidence(key), sync.end(key)) == (None, None, False)
            assert drive(find_alive(context, OpenSession(key, forged.owner))) is None
            if Capability.OWNERS in store.capabilities:
                assert sync.of(forged.owner or "") == []
        _plant(store, drive, sound)

        assert world.ask(reads).user == "alice"

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_planted_rows_lock_nobody_out(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """Rows that somebody put into a user's index are not listed, and keep nobody out."""
        world = World(store, drive, policy=Policy(limit=1, on_limit=on_limit))
        for n in range(120):
            _plant(store, drive, record(f"planted {n}", at=world.clock(), owner="alice"))
        assert world.sessions.sync.of("alice") == []
        world.ask(logs_in())

        assert len(world.sessions.sync.of("alice")) == 1
        assert world.ask(reads).user == "alice"
        with suppress(TooManySessions):
            world.ask(logs_in(), cookie="")
        assert len(world.sessions.sync.of("alice")) == 1

    def test_planted_tombstones_lead_nowhere(self, store: Store, drive: Drive) -> None:
        """Two that point at each other hold nobody up, and one that points at a session is none."""
        world = self.world_with_login(store, drive)
        key = Key(world.ask(lambda session: session.id).result)
        now, mint = world.clock(), context_of(world.sessions).mint
        one, other, third = (mint() for _ in range(3))
        for ticket, after in ((one, other.key), (other, one.key), (third, key)):
            _plant(store, drive, tombstone(ticket.key, now, after, ticket.digest))
        for ticket in (one, other, third):
            assert world.sessions.sync.end(ticket.key) is False
            assert world.ask(logs_out, _cookie(world, ticket)).user is None

        assert world.ask(reads).user == "alice"


def _plant(store: Store, drive: Drive, row: Record) -> None:
    """Put a record into a store as it is, and into the index that it says."""
    drive(store.delete(Key(row.key), row.owner))
    drive(store.replace(login(row, now=row.created)))


def _cookie(world: World, ticket: Ticket) -> str:
    return f"{world.sessions.cookie.full_name}={ticket.reveal()}"


def _forgeries(sound: Record, field: str) -> Iterator[Record]:
    """Yield the record with that field changed."""
    if field != "data":
        before = getattr(sound, field)
        changed = OTHERS[field] if field in OTHERS else (before or 0) + 1
        yield evolve(sound, **{field: changed})
        return
    for name in sound.data:
        without = {key: blob for key, blob in sound.data.items() if key != name}
        yield evolve(sound, data=without)
        *rest, last = sound.data[name]
        yield evolve(sound, data=sound.data | {name: bytes([*rest, last ^ 1])})
        yield evolve(sound, data={**without, f"{name}s": sound.data[name]})
    yield evolve(sound, data={})


def _story(world: World) -> Iterator[Callable[[], Any]]:
    """Yield acts that together store every kind of record there is, in every way."""
    for is_drained in (True, False):
        context, now = context_of(world.sessions), world.clock()
        yield partial(world.drive, drain_server(context, "a", now, is_drained=is_drained))
    yield lambda: world.ask(puts(v=1))
    yield lambda: world.ask(lambda session: session.begin_login("alice", factors=("password",)))
    yield lambda: world.ask(lambda session: session.finish_login(factors=("totp",)))
    stolen = world.cookie
    yield lambda: world.ask(rotates)
    yield lambda: world.ask(reads)
    yield lambda: world.ask(reads, peer=ABROAD)
    yield lambda: world.ask(steps_up("pay"))
    yield lambda: world.ask(lambda session: world.sessions.sync.spend(session, "pay"))
    yield lambda: world.ask(lambda session: session.note("read the terms"))
    yield lambda: world.clock.advance(hours(1))
    yield lambda: world.ask(unlocks)
    yield lambda: world.ask(logs_out)
    yield lambda: world.ask(logs_out, stolen)
    yield lambda: world.ask(logs_in())
    replayed = world.cookie
    yield lambda: world.ask(rotates)
    yield lambda: world.ask(reads)
    yield lambda: world.clock.advance(hours(0.1))
    yield lambda: world.ask(reads, replayed, peer=ABROAD)
    yield lambda: world.ask(logs_out, replayed)
