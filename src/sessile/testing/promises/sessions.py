"""What sessions promise over any store: P1 to P12 of the documentation's page of promises.

Each race is stepped: one request is stopped before every act of I/O, and its rival runs there.
"""

from collections.abc import Callable, Iterator
from typing import Any, cast

from sessile.core.change import Capability
from sessile.core.flow import Flow
from sessile.core.policy import Policy
from sessile.core.session import Session
from sessile.core.ticket import Ticket
from sessile.service import events
from sessile.service.owners import end_all
from sessile.stores.contract import Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.step import Meeting, Stepped, interleavings
from sessile.testing.world import NEWER, SECRET, Reply, World

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


class Sessions:
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
    ) -> Iterator[Meeting[World, Reply, Reply]]:
        """Yield each meeting of two requests of one browser, its session ``age`` seconds old."""

        def world() -> World:
            new = World(store, drive, policy=policy)
            new.ask(puts(cart=["hat"], lang="en"))
            if user is not None:
                new.ask(logs_in(user))
            new.clock.advance(age)
            return new

        def request(act: Act) -> Callable[[World], Flow[Reply]]:
            return lambda world: world.request(world.cookie, act)

        return interleavings(world, request(a), request(b), drive=drive)

    def logged_in(self, store: Store, drive: Drive, user: str = "alice") -> World:
        """Return a world whose browser is logged in."""
        world = World(store, drive)
        world.ask(logs_in(user))
        return world

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

    def test_increments_add_up(self, store: Store, drive: Drive) -> None:
        """Parallel increments of one counter add up, however many there are."""
        world = World(store, drive)
        world.ask(puts(hits=0))
        replies = drive.together(world.request(world.cookie, adds) for _ in range(CROWD))

        assert all(isinstance(reply, Reply) for reply in replies)
        assert world.values() == {"hits": CROWD}

    def test_late_change_moves_over_at_login(self, store: Store, drive: Drive) -> None:
        """What was saved before a login ended the anonymous session is in the new one."""
        for met in self.meetings(store, drive, logs_in(), puts(v=1), user=None):
            dropped = met.world.told(events.Dropped)
            values = met.world.values(met.a.get().cookie)
            assert ("v" in values) != bool(dropped), met.stop
            assert values["cart"] == ["hat"], met.stop

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
            assert bool(met.world.told(events.Dropped)) == in_flight, met.stop

    def test_logout_wins_over_a_rival_at_every_point(self, store: Store, drive: Drive) -> None:
        """Wherever a writer falls into a logout, the session is dead when the logout answers."""
        for met in self.meetings(store, drive, logs_out, puts(v=1)):
            assert met.a.get().cookie == "", met.stop
            assert met.world.ask(reads).user is None, met.stop

    def test_end_holds_against_a_writer(self, store: Store, drive: Drive) -> None:
        """A session ended from the server stays ended, whatever its own request does."""
        for met in interleavings(
            lambda: self.logged_in(store, drive),
            lambda world: world.request(world.cookie, puts(v=1)),
            lambda world: end_all(world.sessions.parts, "alice", None),
            drive=drive,
        ):
            met.a.get()
            assert met.b.get() == 1, met.stop
            assert met.world.ask(reads).user is None, met.stop

    def test_expiry_holds_against_a_late_writer(self, store: Store, drive: Drive) -> None:
        """A request that outlives the idle deadline does not revive what has expired."""
        world = self.logged_in(store, drive)
        slow = world.request(world.cookie, lambda s: (world.clock.advance(1801), s.update(v=1)))
        drive(slow)

        assert world.ask(reads).user is None
        assert world.told(events.Dropped)

    def test_slow_writer_saves_what_others_kept_alive(self, store: Store, drive: Drive) -> None:
        """A request longer than the idle time still saves, if others kept its session alive."""
        world = self.logged_in(store, drive)
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
        world = self.logged_in(store, drive)
        dead = world.cookie
        world.ask(logs_in())

        assert world.ask(reads, cookie=dead).set_cookie is None

    def test_late_writer_starts_no_session_over_a_newer_one(
        self, store: Store, drive: Drive
    ) -> None:
        """A late request of a replaced session gets no new cookie; what it set is dropped."""
        for end in (logs_in(), logs_out):
            for met in self.meetings(store, drive, end, puts(v=1)):
                if met.b.get().user is None:
                    assert met.b.get().set_cookie is None, met.stop
                    assert met.world.told(events.Dropped), met.stop

    # P5: rotation loses nobody.

    def test_crowd_at_rotation_time_agrees_on_one_successor(
        self, store: Store, drive: Drive
    ) -> None:
        """Parallel requests at renewal time get one successor; no logout, no lost write."""
        world = self.logged_in(store, drive)
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
        world = self.logged_in(store, drive)
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

    def test_replayed_predecessor_ends_the_session(self, store: Store, drive: Drive) -> None:
        """A predecessor used after its successor was seen, beyond the grace, ends the session."""
        world = self.logged_in(store, drive)
        stolen = world.cookie
        world.clock.advance(901)
        world.ask(reads)
        world.ask(reads)
        world.clock.advance(31)

        assert world.ask(reads, cookie=stolen).user is None
        assert world.ask(reads).user is None
        assert world.told(events.Replayed)

    def test_predecessor_within_grace_is_the_same_session(self, store: Store, drive: Drive) -> None:
        """Requests that overlapped a rotation are served, and handed the same successor."""
        world = self.logged_in(store, drive)
        old = world.cookie
        world.clock.advance(901)
        world.ask(reads)
        world.ask(reads)
        world.clock.advance(29)

        late = world.ask(reads, cookie=old)
        assert late.user == "alice"
        assert late.cookie == world.cookie

    def test_ancestor_ends_the_session(self, store: Store, drive: Drive) -> None:
        """A ticket two rotations old ends the session, at any time."""
        world = self.logged_in(store, drive)
        stolen = world.cookie
        for _ in range(2):
            world.clock.advance(901)
            world.ask(reads)

        assert world.ask(reads, cookie=stolen).user is None
        assert world.ask(reads).user is None

    def test_forged_ticket_harms_nobody(self, store: Store, drive: Drive) -> None:
        """Whoever knows the id alone can neither use the session nor end it."""
        world = self.logged_in(store, drive)
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

    # P8: three clocks.

    def test_idle_session_ends(self, store: Store, drive: Drive) -> None:
        """A session unused for the idle time is over at its deadline."""
        world = self.logged_in(store, drive)
        world.clock.advance(1800)

        assert world.ask(reads).user is None

    def test_busy_session_ends_at_its_absolute_time(self, store: Store, drive: Drive) -> None:
        """However busy it is, a session ends at its absolute time."""
        world = self.logged_in(store, drive)
        for _ in range(47):
            world.clock.advance(900)
            assert world.ask(reads).user == "alice"
        world.clock.advance(900)

        assert world.ask(reads).user is None

    def test_used_session_outlives_the_idle_time(self, store: Store, drive: Drive) -> None:
        """Reading alone keeps a session alive."""
        world = self.logged_in(store, drive)
        for _ in range(3):
            world.clock.advance(1700)
            assert world.ask(reads).user == "alice"

    def test_remembered_session_has_its_own_clocks(self, store: Store, drive: Drive) -> None:
        """A remembered login outlives the ordinary clocks, and its cookie the browser."""
        world = World(store, drive)
        reply = world.ask(lambda session: session.login("alice", remember=True))
        world.clock.advance(13 * 86_400)

        assert "Max-Age=2592000" in str(reply.set_cookie)
        assert world.ask(reads).user == "alice"

    # P9: no session without cause.

    def test_anonymous_request_costs_nothing(self, store: Store, drive: Drive) -> None:
        """Without a cookie and without a value there is no store command and no cookie."""
        world = World(store, drive)
        stops = [
            met.stop
            for met in interleavings(
                lambda: world,
                lambda w: w.request("", reads),
                lambda w: w.request("", reads),
                drive=drive,
            )
        ]

        assert stops == ["after the last"]
        assert world.ask(reads, cookie="").set_cookie is None

    def test_unknown_id_is_not_adopted(self, store: Store, drive: Drive) -> None:
        """An id that we did not issue is never used, neither for values nor at login."""
        for act in (puts(v=1), logs_in()):
            world = World(store, drive)
            planted = f"__Host-sid={Ticket.mint(bytes(range(45))).reveal()}"
            issued = world.ask(act, cookie=planted).cookie

            assert issued[:31] != planted[:31]
            assert world.values(planted) == {}

    # P11: limits hold under race.

    def test_limit_holds_under_race(self, store: Store, drive: Drive) -> None:
        """Simultaneous logins of one user with a limit of one leave exactly one session."""
        world = World(store, drive, policy=Policy(limit=1))
        drive.together(world.request("", logs_in("carol")) for _ in range(CROWD))

        assert len(drive(world.sessions.parts.store.owned_by("carol", world.clock()))) == 1

    def test_limit_holds_at_every_stopping_point(self, store: Store, drive: Drive) -> None:
        """Wherever one login falls into another, one session is left and its cookie works."""
        policy = Policy(limit=1)
        for met in self.meetings(
            store, drive, logs_in("dave"), logs_in("dave"), user=None, policy=policy
        ):
            world = met.world
            cookies = [met.a.get().cookie, met.b.get().cookie]
            users = [world.ask(reads, cookie=cookie).user for cookie in cookies]
            assert sorted(map(str, users)) == ["None", "dave"], met.stop
