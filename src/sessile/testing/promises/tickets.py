"""What tickets promise over any store: P5 to P7 of the documentation's page of promises.

Each race is stepped: one request is stopped before every act of I/O, and its rival runs there.
"""

from typing import Final

import pytest

from sessile.core.policy import Policy, hours
from sessile.service import events
from sessile.stores.contract import Capability, Store
from sessile.testing.clock import FakeClock
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    CROWD,
    Stories,
    adds,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
)
from sessile.testing.step import Stepped
from sessile.testing.world import ABROAD, HOME, NEWER, SECRET, Reply, World

THEFTS: Final = ((ABROAD, hours(1), 91.0), (HOME, hours(1), 3_601.0), (HOME, None, 91.0))
"""From where a used ticket comes, under which window, and how late: each time it is a replay."""


class Tickets(Stories):
    """Rotation loses nobody, theft shows, and no client sees its session go backwards."""

    # P5: rotation loses nobody.

    def test_crowd_at_rotation_time_agrees_on_one_successor(
        self, store: Store, drive: Drive
    ) -> None:
        """Parallel requests at renewal time get one successor; no logout, no lost write."""
        world = self.world_with_login(store, drive)
        world.clock.advance(901)
        replies = drive.together(world.request(world.cookie, adds) for _ in range(CROWD))

        successors = {reply.set_cookie for reply in replies if isinstance(reply, Reply)}
        assert len(successors) == 1, replies
        assert successors != {None}
        world.cookie = str(successors.pop()).partition(";")[0]
        assert world.values() == {"hits": CROWD}
        assert world.ask(reads).user == "alice"

    def test_rivals_at_rotation_time_agree(self, store: Store, drive: Drive) -> None:
        """Wherever one rotation falls into another, both hand over the same ticket."""
        for met in self.meetings(store, drive, adds, adds, age=901.0):
            a, b = met.a.get(), met.b.get()
            assert a.set_cookie == b.set_cookie is not None, met.stop
            assert met.world.ask(reads, cookie=a.cookie).result["hits"] == 2, met.stop

    def test_lost_answer_is_handed_over_again(self, store: Store, drive: Drive) -> None:
        """A client that never received the successor gets it again, however late it asks."""
        world = self.world_with_login(store, drive)
        old = world.cookie
        world.clock.advance(901)
        first = world.ask(reads, cookie=old)
        world.clock.advance(900)

        again = world.ask(reads, cookie=old)
        assert again.user == "alice"
        assert again.set_cookie == first.set_cookie

    def test_servers_with_other_newest_secrets_agree(self, store: Store, drive: Drive) -> None:
        """While a new secret is rolled out, either server understands the other's rotation."""
        old = World(store, drive, secrets=(SECRET,))
        new = World(store, drive, secrets=(NEWER, SECRET), clock=old.clock)
        both = World(store, drive, secrets=(SECRET, NEWER), clock=old.clock)
        old.ask(logs_in())
        old.clock.advance(901)
        turned = new.ask(reads, cookie=old.cookie).cookie

        assert both.ask(reads, cookie=old.cookie).cookie == turned
        assert both.ask(reads, cookie=turned).user == "alice"

    # P6: theft shows.

    @pytest.mark.parametrize(("peer", "stale", "late"), THEFTS)
    def test_replayed_predecessor_ends_the_session(
        self, store: Store, drive: Drive, peer: str, stale: float | None, late: float
    ) -> None:
        """A predecessor from elsewhere after the grace, or from anywhere after the stale window."""
        policy = Policy(idle=hours(3), stale=stale)
        world = self.world_with_login(store, drive, policy=policy)
        stolen = world.cookie
        world.clock.advance(901)
        world.ask(reads)
        world.ask(reads)
        world.clock.advance(61)
        world.ask(reads)
        world.clock.advance(late)

        assert world.ask(reads, cookie=stolen, peer=peer).user is None
        assert world.ask(reads).user is None
        assert world.events_of(events.Replayed)

    def test_predecessor_within_grace_is_the_same_session(self, store: Store, drive: Drive) -> None:
        """Requests that overlapped a rotation are served, and handed the same successor."""
        world = self.world_with_login(store, drive)
        old = world.cookie
        world.clock.advance(901)
        world.ask(reads)
        world.ask(reads)
        world.clock.advance(29)

        late = world.ask(reads, cookie=old)
        assert late.user == "alice"
        assert late.cookie == world.cookie

    def test_ticket_turned_twice_within_grace_is_the_same_session(
        self, store: Store, drive: Drive
    ) -> None:
        """A slow request that two turns overtake is served; its ticket's grace ends in its time."""
        world = self.world_with_login(store, drive)
        slow = world.cookie
        for _ in range(3):
            world.clock.advance(20)
            world.ask(rotates)
            world.ask(reads)

        world.clock.advance(20)
        late = world.ask(reads, cookie=slow)
        assert late.user == "alice"
        assert late.cookie == world.cookie
        world.clock.advance(31)  # 91 s after the first successor was shown
        assert world.ask(reads, cookie=slow, peer=ABROAD).user is None
        assert world.events_of(events.Replayed)

    @pytest.mark.parametrize("skew", [-59.0, -45.0, 45.0, 59.0])
    def test_server_with_another_clock_ends_no_session(
        self, store: Store, drive: Drive, skew: float
    ) -> None:
        """Whichever server turns the ticket, and sees it first: what overlaps is served."""
        policy = Policy(stale=None)  # the strictest
        right = self.world_with_login(store, drive, policy=policy)
        wrong = World(store, drive, clock=FakeClock(right.clock() + skew), policy=policy)
        for turning, seeing in ((right, wrong), (wrong, right), (wrong, wrong)):
            right.clock.advance(1000)
            wrong.clock.advance(1000)
            old = right.cookie
            right.cookie = turning.ask(reads, cookie=old).cookie
            seeing.ask(reads, cookie=right.cookie)

            assert right.ask(reads, cookie=old).user == "alice"
            assert right.ask(reads).user == "alice"

    @pytest.mark.parametrize(("peer", "stale", "late"), THEFTS)
    def test_ancestor_ends_the_session(
        self, store: Store, drive: Drive, peer: str, stale: float | None, late: float
    ) -> None:
        """A ticket two rotations old ends the session, as its parent does, or nine."""
        for turns in (2, 9):
            policy = Policy(idle=hours(3), stale=stale)
            world = self.world_with_login(store, drive, policy=policy)
            stolen = world.cookie
            for _ in range(turns):
                world.clock.advance(901)
                world.ask(reads)
            world.clock.advance(late)

            assert world.ask(reads, cookie=stolen, peer=peer).user is None
            assert world.ask(reads).user is None

    def test_slow_request_with_an_old_ticket_turns_none(self, store: Store, drive: Drive) -> None:
        """A request that was overtaken by two rotations is handed the newest ticket, if any."""
        world = self.world_with_login(store, drive)
        stolen = world.cookie
        slow = Stepped(
            world.request(stolen, lambda s: (world.clock.advance(901), s.update(v=1))), drive
        )
        slow.step()
        for _ in range(2):
            world.ask(rotates)
        world.ask(reads)
        late = slow.finish().get()

        assert late.cookie == world.cookie
        assert world.ask(reads).user == "alice"
        assert world.values()["v"] == 1

    def test_forged_ticket_harms_nobody(self, store: Store, drive: Drive) -> None:
        """Whoever knows the id alone can neither use the session nor end it."""
        world = self.world_with_login(store, drive)
        name, _, value = world.cookie.partition("=")
        forged = f"{name}={value[:20]}{'A' * 40}"

        assert world.ask(reads, cookie=forged).user is None
        assert world.ask(reads).user == "alice"

    def test_dead_successor_is_not_handed_over(self, store: Store, drive: Drive) -> None:
        """A late request with the old ticket gets no successor of a session that has ended."""
        for met in self.meetings(store, drive, rotates, logs_out):
            world = met.world
            if met.a.get().set_cookie is None:
                assert world.ask(reads).user is None, met.stop

    # P7: a client's reads include its writes.

    @needs(Capability.SHARED)
    @needs(Capability.SHARED)
    def test_reads_include_writes_on_every_server(
        self, store: Store, other: Store, drive: Drive
    ) -> None:
        """What one server acknowledged the next server reads."""
        here, there = World(store, drive), World(other, drive)
        here.ask(logs_in())
        for n in range(5):
            here.ask(puts(n=n))
            assert there.values(here.cookie) == {"n": n}
