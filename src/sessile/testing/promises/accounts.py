"""What an owner's sessions promise over any store: limits of every kind, new devices, a list."""

from itertools import count

import pytest

from sessile.core.limit import Limit
from sessile.core.policy import Policy, days
from sessile.core.session import Session
from sessile.errors import TooManySessions
from sessile.service import events
from sessile.service.manage import end_all
from sessile.service.sessions import context_of
from sessile.stores.contract import MOST_ENDED, UNCLAIMED_TTL, Capability, Key, OnLimit, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import Stories, costs, logs_in, reads
from sessile.testing.sample import login, record
from sessile.testing.step import Stepped, interleavings
from sessile.testing.world import ABROAD, HOME, NEARBY, Reply, World

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)
MANY = 50
CROWD = 600
KNOWING = Policy(know_devices=days(90))
_users = count()


def by_name(user: str) -> int | Limit | None:
    """Return the limit of a user, as a function of an application would."""
    limits: dict[str, int | Limit] = {"one": 1, "two": Limit(2, OnLimit.REFUSE)}
    return limits.get(user)


class Accounts(Stories):
    """As many sessions as allowed, none unnoticed."""

    # Limits

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", [OnLimit.END_OTHERS, OnLimit.END_OLDEST])
    def test_newest_of_rival_logins_stays(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """Wherever one login falls into another, one session is left, with an older one or not."""
        for before in (0, 1):

            def world(before: int = before) -> tuple[World, str]:
                user = f"user {next(_users)}"
                new = World(store, drive, policy=Policy(limit=1, on_limit=on_limit))
                for _ in range(before):
                    new.ask(logs_in(user))
                return new, user

            for met in interleavings(
                world,
                lambda it: it[0].request("", logs_in(it[1])),
                lambda it: it[0].request("", logs_in(it[1])),
                drive=drive,
            ):
                cookies = [met.a.get().cookie, met.b.get().cookie]
                living = [met.world[0].ask(reads, cookie=cookie).user for cookie in cookies]
                assert living.count(None) == 1, (met.stop, before)
                assert len(met.world[0].sessions.sync.of(met.world[1])) == 1, (met.stop, before)

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_fifty_logins_at_once_leave_one(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """Fifty simultaneous logins with a limit of one leave one live session."""
        world = World(store, drive, policy=Policy(limit=1, on_limit=on_limit))
        replies = drive.together(world.request("", logs_in()) for _ in range(MANY))
        refused = [reply for reply in replies if isinstance(reply, TooManySessions)]
        admitted = [reply for reply in replies if isinstance(reply, Reply)]

        assert len(world.sessions.sync.of("alice")) == 1
        assert len(refused) + len(admitted) == MANY
        assert len(refused) == (MANY - 1 if on_limit is OnLimit.REFUSE else 0)
        living = [world.ask(reads, cookie=reply.cookie).user for reply in admitted]
        assert living.count("alice") == 1

    @needs(Capability.OWNERS)
    def test_others_end_only_beyond_the_limit(self, store: Store, drive: Drive) -> None:
        """With END_OTHERS the login that is one too many is alone afterwards, no other is."""
        world = World(store, drive, policy=Policy(limit=2, on_limit=OnLimit.END_OTHERS))
        left = []
        for _ in range(4):
            world.ask(logs_in(), cookie="")
            left.append(len(world.sessions.sync.of("alice")))

        assert left == [1, 2, 1, 2]

    @needs(Capability.OWNERS)
    def test_refused_login_changes_nothing(self, store: Store, drive: Drive) -> None:
        """The session that is there goes on, the visitor stays one, and an event tells of it."""
        world = World(store, drive, policy=Policy(limit=1, on_limit=OnLimit.REFUSE))
        world.ask(logs_in())
        with pytest.raises(TooManySessions):
            world.ask(logs_in(), cookie="")

        assert world.ask(reads).user == "alice"
        assert (
            len(world.events_of(events.LimitReached)) == len(world.events_of(events.LoggedIn)) == 1
        )
        assert world.ask(logs_in("bob"), cookie="").user == "bob"

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_login_whose_answer_was_lost_blocks_nobody(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """A session that nobody ever presented is listed as such, and gives way to the next."""
        world = World(store, drive, policy=Policy(limit=1, on_limit=on_limit))
        world.ask(logs_in(), cookie="")  # and the client never heard of it
        (lost,) = world.sessions.sync.of("alice")
        world.clock.advance(UNCLAIMED_TTL)
        world.cookie = world.ask(logs_in(), cookie="").cookie

        (held,) = world.sessions.sync.of("alice")
        assert (lost.presented, held.presented) == (False, False)
        assert held.id != lost.id
        assert world.ask(reads).user == "alice"
        assert world.sessions.sync.of("alice")[0].presented
        if on_limit is OnLimit.REFUSE:
            world.clock.advance(UNCLAIMED_TTL)
            with pytest.raises(TooManySessions):
                world.ask(logs_in(), cookie="")

    @needs(Capability.OWNERS)
    def test_limit_is_what_the_function_says(self, store: Store, drive: Drive) -> None:
        """A function of the user gives each a limit, and a way of keeping it, of their own."""
        world = World(store, drive, policy=Policy(limit=by_name))
        for user in ("one", "none", "two"):
            for _ in range(2):
                world.ask(logs_in(user), cookie="")
        with pytest.raises(TooManySessions):
            world.ask(logs_in("two"), cookie="")
        world.ask(logs_in("none"), cookie="")

        held = [len(world.sessions.sync.of(user)) for user in ("one", "two", "none")]
        assert held == [1, 2, 3]

    @needs(Capability.OWNERS)
    def test_nobody_is_limited_by_default_who_is_honest(self, store: Store, drive: Drive) -> None:
        """Without a limit of the application's own a user has a thousand; then the oldest go."""
        world = World(store, drive)
        rows = [record(f"of a script {n}", owner="script") for n in range(1_000)]
        for row in rows:
            drive(store.replace(login(row)))
        world.ask(logs_in("script"))

        (ended,) = world.events_of(events.Ended)
        assert (ended.session, ended.reason) == (rows[0].key, events.End.LIMIT)

    # Many of them

    @needs(Capability.OWNERS)
    def test_many_end_page_by_page(self, store: Store, drive: Drive) -> None:
        """Between two pages of a user's sessions that end, everybody else has their turn."""
        world = World(store, drive, policy=Policy(limit=None))
        rows = [record(f"of a crowd {n}", owner="crowd") for n in range(CROWD)]
        for row in rows:
            drive(store.replace(login(row)))
        ending, asked = Stepped(end_all(context_of(world.sessions), "crowd", None), drive), []
        while ending.ask is not None:
            asked.append(ending.ask.what)
            ending.step()
            world.ask(lambda session: session.increment("n"))

        assert ending.finish().get() == CROWD
        assert asked.count("pause") >= CROWD // 250
        assert world.values() == {"n": len(asked)}
        told = [e.session for e in world.events_of(events.Ended)]
        assert told == [row.key for row in rows]

    @needs(Capability.OWNERS)
    def test_login_over_a_crowd_ends_all_of_it(self, store: Store, drive: Drive) -> None:
        """Where more are over the limit than an act may end, the others end right after it."""
        world = World(store, drive, policy=Policy(limit=2))
        prove = context_of(world.sessions).sealer.prove
        rows = [prove(record(f"of a crowd {n}", owner="crowd")) for n in range(MOST_ENDED + 8)]
        for row in rows:
            drive(store.replace(login(row)))
        world.ask(logs_in("crowd"))

        left = [Key(info.id) for info in world.sessions.sync.of("crowd")]
        told = [e.session for e in world.events_of(events.Ended)]
        assert len(left) == 2
        assert {*told, left[0]} == {row.key for row in rows}
        assert len(told) == len(rows) - 1

    # New devices

    def test_login_from_a_new_device_is_told(self, store: Store, drive: Drive) -> None:
        """The first login is silent; then a new device is told, once, and so is a new network."""
        world = World(store, drive, policy=KNOWING)

        def login(peer: str = HOME) -> list[tuple[bool, bool]]:
            world.events.clear()
            world.ask(logs_in(), cookie="", peer=peer)
            told = world.events_of(events.NewDevice)
            return [(e.new_device, e.new_address) for e in told]

        assert login() == []
        assert login(NEARBY) == []
        assert login(ABROAD) == [(False, True)]
        assert login(ABROAD) == []
        world.agent = CHROME
        assert login() == [(True, False)]
        assert login() == []
        assert login("203.0.113.5") == [(False, True)]

    def test_new_device_is_told_by_its_name(self, store: Store, drive: Drive) -> None:
        """The event names the device, its client and whose it is."""
        world = World(store, drive, policy=KNOWING)
        world.ask(logs_in())
        world.agent = CHROME
        world.ask(logs_in(), cookie="", peer=ABROAD)
        (told,) = world.events_of(events.NewDevice)

        assert (told.owner, told.device) == ("alice", "Chrome on Windows")
        assert (told.client and told.client.address) == ABROAD

    def test_devices_are_each_users_own(self, store: Store, drive: Drive) -> None:
        """What one user's logins taught is not known of another."""
        world = World(store, drive, policy=KNOWING)
        world.ask(logs_in("alice"), cookie="")
        world.ask(logs_in("bob"), cookie="", peer=ABROAD)

        assert world.events_of(events.NewDevice) == []

    def test_device_is_forgotten_in_time(self, store: Store, drive: Drive) -> None:
        """A device that was not seen for the policy's time is a new one again."""
        world = World(store, drive, policy=KNOWING)
        world.ask(logs_in(), cookie="")
        world.clock.advance(days(60))
        world.ask(logs_in(), cookie="", peer=ABROAD)
        world.clock.advance(days(60))
        world.events.clear()
        world.ask(logs_in(), cookie="")

        assert len(world.events_of(events.NewDevice)) == 1

    @needs(Capability.OWNERS)
    def test_remembered_devices_are_no_session(self, store: Store, drive: Drive) -> None:
        """What is kept of a user's devices stands in no list and ends with no session."""
        world = World(store, drive, policy=KNOWING)
        world.ask(logs_in())

        assert len(world.sessions.sync.of("alice")) == 1
        assert world.sessions.sync.end_all("alice") == 1
        world.ask(logs_in(), peer=ABROAD)
        assert len(world.events_of(events.NewDevice)) == 1

    def test_knowing_devices_costs_a_login_two_commands(self, store: Store, drive: Drive) -> None:
        """The default policy asks the store for the login alone; a memory is read and written."""
        asked = []
        for policy in (Policy(), KNOWING):
            world = World(store, drive, policy=policy)
            for _ in range(16):  # on a store of several servers each has had one then
                world.ask(logs_in("warm up"), cookie="")
            world.ask(logs_in("known"), cookie="")
            asked.append(len(costs(world.request("", logs_in("known")), drive)))

        assert asked[1] == asked[0] + 2

    # The list

    @needs(Capability.OWNERS)
    def test_sessions_are_listed_as_people_name_them(self, store: Store, drive: Drive) -> None:
        """Each with its device and address as they are now, first and last seen, and its trail."""
        world = World(store, drive)
        start = world.clock()
        here = world.ask(logs_in()).cookie
        world.clock.advance(600)
        world.ask(lambda session: session.note("changed the password"))
        world.agent = CHROME
        world.ask(logs_in(), cookie="", peer=ABROAD)
        key = world.ask(lambda session: session.id, cookie=here, peer=HOME).result
        listed = world.sessions.sync.of("alice", current=key)

        assert [(i.device, i.address) for i in listed] == [
            ("Chrome on Windows", HOME),
            ("Chrome on Windows", ABROAD),
        ]
        assert (listed[0].created, listed[0].last_seen) == (start, start + 600)
        assert [line.what for line in listed[0].trail] == [
            "login", "changed the password", "another client",
        ]  # fmt: skip
        assert listed[0].trail[0].device == "Firefox on Linux"
        assert [info.current for info in listed] == [True, False]

    def test_name_that_the_login_gave_stays(self, store: Store, drive: Drive) -> None:
        """A device that the application named keeps that name."""

        def name_device(session: Session) -> None:
            session.login("alice", device="Kitchen")

        world = World(store, drive)
        world.ask(name_device)
        world.agent = CHROME
        world.ask(reads)

        assert [info.device for info in world.of("alice")] == ["Kitchen"]
