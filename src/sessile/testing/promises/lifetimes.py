"""What clocks and limits promise over any store: P8 to P11 of the page of promises.

Each race is stepped: one request is stopped before every act of I/O, and its rival runs there.
"""

import math

from sessile.core.policy import Policy, days, hours
from sessile.core.ticket import Ticket
from sessile.stores.contract import Capability, OnLimit, Store
from sessile.testing.clock import T0, FakeClock
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import CROWD, Act, Stories, logs_in, puts, reads
from sessile.testing.step import interleavings
from sessile.testing.world import World


def rises(user: str) -> Act:
    """Handle a request in which a user proves more."""
    return lambda session: session.login(user, assurance=2)


class Lifetimes(Stories):
    """Three clocks, no session without cause, and limits that hold under race."""

    # P8: three clocks.

    def test_idle_session_ends(self, store: Store, drive: Drive) -> None:
        """A session unused for the idle time is over at its deadline."""
        world = self.world_with_login(store, drive)
        world.clock.advance(1800)

        assert world.ask(reads).user is None

    def test_busy_session_ends_at_its_absolute_time(self, store: Store, drive: Drive) -> None:
        """However busy it is, a session ends at its absolute time."""
        world = self.world_with_login(store, drive)
        for _ in range(47):
            world.clock.advance(900)
            assert world.ask(reads).user == "alice"
        world.clock.advance(900)

        assert world.ask(reads).user is None

    def test_session_is_over_at_its_idle_deadline(self, store: Store, drive: Drive) -> None:
        """A session lives until the last instant before its idle deadline, and not at it."""
        for idle_until in (T0 + 1800.0, math.nextafter(T0 + 1800.0, 0.0)):
            world = self.world_with_login(store, drive)
            world.clock.now = idle_until

            assert (world.ask(reads).user is None) is (idle_until == T0 + 1800.0)

    def test_session_is_over_at_its_absolute_deadline(self, store: Store, drive: Drive) -> None:
        """However long the idle time, a session is over at its absolute deadline."""
        policy = Policy(idle=hours(12), absolute=hours(12), rotate=None)
        for until in (T0 + hours(12), math.nextafter(T0 + hours(12), 0.0)):
            world = self.world_with_login(store, drive, policy=policy)
            world.clock.now = until

            assert (world.ask(reads).user is None) is (until == T0 + hours(12))

    def test_expired_sessions_are_not_listed(self, store: Store, drive: Drive) -> None:
        """A list of a user's sessions shows none whose time is over, swept or not."""
        world = self.world_with_login(store, drive)
        assert len(world.of("alice")) == 1
        world.clock.now = math.nextafter(T0 + 1800.0, 0.0)
        assert len(world.of("alice")) == 1
        world.clock.now = T0 + 1800.0

        assert world.of("alice") == []

    @needs(Capability.SCAN)
    def test_expired_sessions_are_not_scanned(self, store: Store, drive: Drive) -> None:
        """A list of everybody's sessions shows none whose time is over, nor what they left."""
        world = self.world_with_login(store, drive)
        assert [info.user for info in world.sessions.sync.scan()] == ["alice"]
        world.clock.advance(1800)

        assert list(world.sessions.sync.scan()) == []

    def test_used_session_outlives_the_idle_time(self, store: Store, drive: Drive) -> None:
        """Reading alone keeps a session alive."""
        world = self.world_with_login(store, drive)
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

    def test_stricter_policy_holds_for_open_sessions(self, store: Store, drive: Drive) -> None:
        """The earlier counts, of what was stored and of what holds now; for lists and limits too.

        So does the end of remembering.
        """
        old = Policy(idle=hours(12), absolute=hours(48), rotate=None)
        strict = [
            Policy(idle=hours(1), absolute=hours(48), rotate=None),
            Policy(idle=hours(3), absolute=hours(3), rotate=None),
        ]
        for policy in strict:
            world = self.world_with_login(store, drive, policy=old)
            world.clock.advance(hours(2))
            assert world.ask(reads).user == "alice"
            world.clock.advance(hours(1))
            later = World(store, drive, clock=world.clock, policy=policy)

            assert later.ask(reads, world.cookie).user is None
            assert later.of("alice") == []
            world.sessions.sync.end_everybody()
        self._assert_remembering_ends(store, drive)

    def _assert_remembering_ends(self, store: Store, drive: Drive) -> None:
        world = World(store, drive)
        world.ask(lambda session: session.login("bob", remember=True))
        nobody = Policy(remember_absolute=None)
        later = World(store, drive, clock=world.clock, policy=nobody)

        assert later.ask(reads, world.cookie).user is None
        assert world.ask(reads).user == "bob"

    @needs(Capability.OWNERS)
    def test_session_that_is_over_by_the_policy_takes_no_place(
        self, store: Store, drive: Drive
    ) -> None:
        """Whom a stricter policy has logged out may log in, though the limit refuses more."""
        old = Policy(idle=hours(12), rotate=None)
        world = self.world_with_login(store, drive, policy=old)
        world.ask(reads)
        world.clock.advance(hours(2))
        policy = Policy(idle=hours(1), limit=1, on_limit=OnLimit.REFUSE)
        later = World(store, drive, clock=world.clock, policy=policy)
        later.ask(logs_in("alice"))

        assert later.ask(reads).user == "alice"

    def test_milder_policy_brings_nothing_back(self, store: Store, drive: Drive) -> None:
        """What was over by the clocks of its login stays over under longer ones."""
        world = self.world_with_login(store, drive)
        world.clock.advance(1800)
        mild = Policy(idle=hours(12), rotate=None)
        later = World(store, drive, clock=world.clock, policy=mild)

        assert later.ask(reads, world.cookie).user is None

    def test_record_from_the_future_opens_nothing(self, store: Store, drive: Drive) -> None:
        """A login by a clock that was years ahead does not live for years once that is right.

        One that was ahead by hours lives so much longer, and logs nobody out.
        """
        for ahead, user in ((10 * 365 * 86_400.0, None), (hours(13), "alice")):
            clock = FakeClock(T0 + ahead)
            world = World(store, drive, clock=clock)
            world.ask(logs_in("alice"))
            clock.now = T0

            assert world.ask(reads).user == user
            world.clock.now = T0 + hours(12)
            assert world.ask(reads).user == user

    def test_anonymous_session_has_its_own_clocks(self, store: Store, drive: Drive) -> None:
        """A cart outlives the browser where the policy says so, and ends by its own idle time.

        A login remembers nobody for that: its cookie ends with the browser, by the ordinary clocks.
        """
        policy = Policy(anonymous_idle=days(30), anonymous_absolute=days(90))
        world = World(store, drive, policy=policy)
        first = world.ask(puts(cart="socks"))
        assert "Max-Age=7776000" in str(first.set_cookie)
        for _ in range(3):
            world.clock.advance(days(29))
            reply = world.ask(lambda session: session.get("cart"))
            assert reply.result == "socks"
        world.clock.advance(days(3))
        assert world.values() == {}
        world = World(store, drive, policy=policy, clock=world.clock)
        world.ask(puts(cart="hats"))
        world.clock.advance(days(30))
        assert world.values() == {}
        world.ask(puts(cart="gloves"))
        login = world.ask(logs_in("alice"))
        assert "Max-Age" not in str(login.set_cookie)
        assert world.ask(lambda session: (session.user, session["cart"])).result == (
            "alice", "gloves",
        )  # fmt: skip
        world.clock.advance(1800)

        assert world.ask(reads).user is None

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

    @needs(Capability.OWNERS)
    def test_limit_holds_under_race(self, store: Store, drive: Drive) -> None:
        """Simultaneous logins of one user with a limit of one leave exactly one session."""
        world = World(store, drive, policy=Policy(limit=1))
        drive.together(world.request("", logs_in("carol")) for _ in range(CROWD))

        assert len(world.sessions.sync.of("carol")) == 1

    @needs(Capability.OWNERS)
    def test_limit_holds_at_every_stopping_point(self, store: Store, drive: Drive) -> None:
        """Wherever one login falls into another, one session is left, and its cookie works.

        Where one took the other's place unseen, as if it were sent twice, both cookies lead there.
        """
        policy = Policy(limit=1)
        for met in self.meetings(
            store, drive, logs_in("dave"), logs_in("dave"), user=None, policy=policy
        ):
            world = met.world
            (left,) = world.sessions.sync.of("dave")
            cookies = [met.a.get().cookie, met.b.get().cookie]
            shown = [world.ask(lambda it: (it.user, it.id), cookie=one).result for one in cookies]
            seen = [one for one in shown if one[0] is not None]
            assert seen == [("dave", left.id)] * max(1, len(seen)), met.stop

    @needs(Capability.OWNERS)
    def test_rise_of_assurance_takes_nobodys_place(self, store: Store, drive: Drive) -> None:
        """Proving more at the limit replaces one's own session, and ends or refuses no other."""
        for on_limit in OnLimit:
            user = f"erin {on_limit.value}"
            world = World(store, drive, policy=Policy(limit=2, on_limit=on_limit))
            other = world.ask(logs_in(user), cookie="").cookie
            world.ask(logs_in(user))
            world.ask(rises(user))

            assert world.ask(reads, cookie=other).user == user
            assert world.ask(lambda session: session.assurance).result == 2
