"""What sessions promise over any store: P1 to P4 of the documentation's page of promises.

Each race is stepped: one request is stopped before every act of I/O, and its rival runs there.
"""

from sessile.core.policy import Policy, hours
from sessile.errors import SessionTooLarge
from sessile.service import events
from sessile.service.manage import end, end_all
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    CROWD,
    Stories,
    adds,
    appends,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
)
from sessile.testing.step import Stepped, interleavings
from sessile.testing.world import Reply, World


class Concurrency(Stories):
    """Nobody's change is lost, readers write nothing, ended stays ended, late answers harm none."""

    # P1: nobody's change is lost.

    def test_writers_of_different_keys_both_survive(self, store: Store, drive: Drive) -> None:
        """Two requests that set different keys both keep what they set."""
        for met in self.meetings(store, drive, puts(v=1), puts(z=2)):
            met.a.get(), met.b.get()
            assert met.world.values() == {"cart": ["hat"], "lang": "en", "v": 1, "z": 2}, met.stop

    def test_appends_to_one_list_both_survive(self, store: Store, drive: Drive) -> None:
        """Two requests that append to one stored list both keep their item."""
        for met in self.meetings(store, drive, appends("sock"), appends("shoe")):
            met.a.get(), met.b.get()
            assert sorted(met.world.values()["cart"]) == ["hat", "shoe", "sock"], met.stop

    def test_equal_assignments_stand_once(self, store: Store, drive: Drive) -> None:
        """A list that two requests assign alike, as by a form sent twice, is there once."""
        for was in (["hat"], None):
            act = puts(cart=["hat", "sock"]) if was else puts(picks=["hat", "sock"])
            for met in self.meetings(store, drive, act, act):
                met.a.get(), met.b.get()
                found = met.world.values()
                assert found["cart" if was else "picks"] == ["hat", "sock"], met.stop

    def test_last_assignment_stands(self, store: Store, drive: Drive) -> None:
        """Of two lists that were assigned one is there, whole: two choices are not both chosen."""
        for met in self.meetings(store, drive, puts(picks=["sock"]), puts(picks=["shoe"])):
            met.a.get(), met.b.get()
            in_flight = met.stop != "after the last"
            assert met.world.values()["picks"] == (["sock"] if in_flight else ["shoe"]), met.stop

    def test_increments_add_up(self, store: Store, drive: Drive) -> None:
        """Parallel increments of one counter add up, however many there are."""
        world = World(store, drive)
        world.ask(puts(hits=0))
        replies = drive.together(world.request(world.cookie, adds) for _ in range(CROWD))

        assert all(isinstance(reply, Reply) for reply in replies)
        assert world.values() == {"hits": CROWD}

    def test_rivals_together_stay_within_the_size(self, store: Store, drive: Drive) -> None:
        """Of two changes that each fit, and do not together, one is stored and one is refused."""
        size = Policy(max_bytes=1000)
        acts = puts(v="x" * 600), puts(z="y" * 600)
        for met in self.meetings(store, drive, *acts, policy=size):
            refused = [isinstance(outcome.error, SessionTooLarge) for outcome in (met.a, met.b)]
            assert sorted(refused) == [False, True], met.stop
            assert len(met.world.values()) == 3, met.stop

    def test_late_change_moves_over_at_login(self, store: Store, drive: Drive) -> None:
        """What was saved before a login ended the anonymous session is in the new one."""
        for met in self.meetings(store, drive, logs_in(), puts(v=1), user=None):
            dropped = met.world.events_of(events.Dropped)
            values = met.world.values(met.a.get().cookie)
            assert ("v" in values) != bool(dropped), met.stop
            assert values["cart"] == ["hat"], met.stop

    def test_change_in_flight_moves_over_at_step_up(self, store: Store, drive: Drive) -> None:
        """What a request saves while its session goes on in a new one is in that one.

        A request that arrives with the old ticket after that is nobody's, and is told so.
        """
        for act, key in ((puts(v=1), "v"), (appends("sock"), "cart")):
            for met in self.meetings(store, drive, act, steps_up()):
                late, values = met.a, met.world.values(met.b.get().cookie)
                if isinstance(late.error, KeyError):  # nobody's session has no cart
                    continue
                was_there = late.get().user == "alice"
                saved = values.get(key) in (1, ["hat", "sock"])
                assert saved == was_there, met.stop
                assert saved != bool(met.world.events_of(events.Dropped)), met.stop

    def test_message_left_while_messages_are_taken_waits(self, store: Store, drive: Drive) -> None:
        """A flash that meets the taking of flashes is shown once: now, or on the next page."""
        leaves, takes = (lambda s: s.flash("second")), (lambda s: s.flashes())
        for a, b in ((leaves, takes), (takes, leaves)):
            for met in self.meetings(store, drive, a, b, flash="first"):
                taken = (met.a if a is takes else met.b).get().result
                shown = [*taken, *met.world.ask(takes).result]
                assert [text for _, text in shown] == ["first", "second"], met.stop

    # P2: readers do not write data.

    def test_reader_undoes_no_writer(self, store: Store, drive: Drive) -> None:
        """A request that only reads, even when it moves the clocks, keeps a writer's change."""
        for met in self.meetings(store, drive, reads, puts(v=1), age=300.0):
            assert met.a.get().set_cookie is None, met.stop
            assert met.world.values()["v"] == 1, met.stop

    def test_reader_asks_the_store_once(self, store: Store, drive: Drive) -> None:
        """With the touch throttled a reading request is one act of I/O and sets no cookie."""
        stops = [met.stop for met in self.meetings(store, drive, reads, reads)]

        assert len(stops) == 2, stops

    # P3: ended stays ended.

    def test_logout_holds_against_a_reader(self, store: Store, drive: Drive) -> None:
        """A reader in flight finishes as it would have and does not bring the session back."""
        for met in self.meetings(store, drive, reads, logs_out, age=300.0):
            assert met.a.get().set_cookie is None, met.stop
            assert met.world.ask(reads).user is None, met.stop
            assert met.world.values() == {}, met.stop

    def test_logout_holds_against_a_writer(self, store: Store, drive: Drive) -> None:
        """A writer in flight is not punished, its change is dropped, and an event says so."""
        for met in self.meetings(store, drive, puts(v=1), logs_out):
            met.a.get()
            assert met.world.ask(reads).user is None, met.stop
            in_flight = met.stop != "after the last"
            assert bool(met.world.events_of(events.Dropped)) == in_flight, met.stop

    def test_logout_wins_over_a_rival_at_every_point(self, store: Store, drive: Drive) -> None:
        """Wherever a writer falls into a logout, the session is dead when the logout answers."""
        for met in self.meetings(store, drive, logs_out, puts(v=1)):
            assert met.a.get().cookie == "", met.stop
            assert met.world.ask(reads).user is None, met.stop

    def test_end_of_one_holds_against_a_writer(self, store: Store, drive: Drive) -> None:
        """A session that was ended by its id stays ended, whatever its own request does."""
        for met in interleavings(
            lambda: self.world_with_login(store, drive),
            lambda world: world.request(world.cookie, puts(v=1)),
            lambda world: end(context_of(world.sessions), world.session_id),
            drive=drive,
        ):
            met.a.get()
            assert met.b.get() is True, met.stop
            assert met.world.ask(reads).user is None, met.stop

    @needs(Capability.OWNERS)
    def test_end_holds_against_a_writer(self, store: Store, drive: Drive) -> None:
        """A session ended from the server stays ended, whatever its own request does."""
        for met in interleavings(
            lambda: self.world_with_login(store, drive),
            lambda world: world.request(world.cookie, puts(v=1)),
            lambda world: end_all(context_of(world.sessions), "alice", None),
            drive=drive,
        ):
            met.a.get()
            assert met.b.get() == 1, met.stop
            assert met.world.ask(reads).user is None, met.stop

    def test_request_under_way_keeps_its_session_alive(self, store: Store, drive: Drive) -> None:
        """An upload that takes longer than the idle time saves, and its user goes on."""
        world = self.world_with_login(store, drive)
        reply = world.ask(lambda s: (world.clock.advance(1801 + 500), s.update(v=1)))

        assert world.ask(reads, cookie=reply.cookie).user == "alice"
        assert world.values(reply.cookie)["v"] == 1
        assert not world.events_of(events.Dropped)

    def test_expiry_holds_against_a_late_writer(self, store: Store, drive: Drive) -> None:
        """Wherever the client is told that its session expired, no request under way revives it."""
        for met in interleavings(
            lambda: self.world_with_login(store, drive),
            lambda world: world.request(
                world.cookie, lambda s: (world.clock.advance(1801), s.update(v=1))
            ),
            lambda world: world.request(world.cookie, reads),
            drive=drive,
        ):
            met.a.get()
            if met.b.get().user is None:
                assert met.world.ask(reads).user is None, met.stop
                assert met.world.events_of(events.Dropped), met.stop

    def test_absolute_time_holds_against_a_late_writer(self, store: Store, drive: Drive) -> None:
        """A request that outlives the absolute time brings nothing back."""
        world = self.world_with_login(store, drive)
        world.ask(lambda s: (world.clock.advance(hours(13)), s.update(v=1)))

        assert world.ask(reads).user is None
        assert world.events_of(events.Dropped)

    @needs(Capability.OWNERS)
    def test_late_writer_is_not_over_the_limit(self, store: Store, drive: Drive) -> None:
        """A login that took the place of a session whose time was over keeps it."""
        policy = Policy(limit=1)
        world = self.world_with_login(store, drive, policy=policy)
        other = World(store, drive, policy=policy)
        slow = Stepped(
            world.request(world.cookie, lambda s: (world.clock.advance(1801), s.update(v=1))), drive
        )
        slow.step()
        other.clock.advance(1801)
        other.ask(logs_in())
        slow.finish()

        assert world.ask(reads).user is None
        assert other.ask(reads).user == "alice"

    def test_slow_writer_saves_what_others_kept_alive(self, store: Store, drive: Drive) -> None:
        """A request longer than the idle time still saves, if others kept its session alive."""
        world = self.world_with_login(store, drive)
        rival = World(store, drive)
        slow = Stepped(
            world.request(world.cookie, lambda s: (world.clock.advance(1801), s.update(v=1))), drive
        )
        slow.step()
        rival.clock.advance(900)
        rival.ask(reads, cookie=world.cookie)
        slow.finish()

        assert world.values()["v"] == 1

    # P4: a late answer never hurts a newer login.

    def test_old_cookie_after_login_sets_nothing(self, store: Store, drive: Drive) -> None:
        """A request with the cookie from before the login gets no cookie back, least a deletion."""
        for act in (reads, puts(v=1), rotates):
            for met in self.meetings(store, drive, act, logs_in(), user=None):
                late = met.a.get()
                if late.set_cookie is not None:  # a rotation that was through before the login
                    assert "Max-Age=0" not in late.set_cookie, met.stop
                new = met.b.get().cookie
                assert met.world.ask(reads, cookie=new).user == "alice", met.stop

    def test_dead_cookie_gets_no_deletion(self, store: Store, drive: Drive) -> None:
        """A cookie whose session is over is ignored; nothing is deleted in the browser."""
        world = self.world_with_login(store, drive)
        dead = world.cookie
        world.ask(logs_in())

        assert world.ask(reads, cookie=dead).set_cookie is None

    def test_late_writer_starts_no_session_over_a_newer_one(
        self, store: Store, drive: Drive
    ) -> None:
        """A late request of a replaced session gets no new cookie; what it set is dropped."""
        for act in (logs_in(), logs_out):
            for met in self.meetings(store, drive, act, puts(v=1)):
                if met.b.get().user is None:
                    assert met.b.get().set_cookie is None, met.stop
                    assert met.world.events_of(events.Dropped), met.stop
