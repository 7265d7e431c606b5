"""What events promise over any store: each fact is told when it happens, and gives nothing away."""

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from sessile.core.binding import OnMismatch
from sessile.core.policy import OnReplay, Policy, days, hours
from sessile.errors import TooManySessions
from sessile.service import events
from sessile.service.events import End, RefusalReason
from sessile.stores.contract import Capability, OnLimit, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.bindings import binding_policy
from sessile.testing.promises.grants import spend
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
from sessile.testing.world import ABROAD, HOME, World

Story = Callable[[World], object]


def begins(world: World) -> None:
    """Begin a login and finish it."""
    world.ask(lambda session: session.begin_login("alice"))
    world.ask(lambda session: session.finish_login(factors=("totp",)))


def twice(world: World) -> None:
    """Log in twice, the second time from elsewhere."""
    world.ask(logs_in(), cookie="")
    world.ask(logs_in(), cookie="", peer=ABROAD)


def exceeds(world: World) -> None:
    """Log in twice where the policy allows it once."""
    world.ask(logs_in(), cookie="")
    with pytest.raises(TooManySessions):
        world.ask(logs_in(), cookie="")


def pays(world: World) -> None:
    """Step up for a purpose, and use it."""
    world.ask(logs_in())
    world.ask(steps_up("pay"))
    world.drive(spend(world))


def idles(world: World) -> None:
    """Leave a session idle, look at it, and open it again."""
    world.ask(logs_in())
    world.clock.advance(1800)
    world.ask(reads)
    world.ask(unlocks)


def outlasts(world: World) -> None:
    """Come back when the time is over, and again with something that never was a ticket."""
    world.ask(logs_in())
    world.clock.advance(1800)
    world.ask(reads)


def knocks(world: World) -> None:
    """Present what opens nothing, in every way there is."""
    world.ask(logs_in())
    name, _, value = world.cookie.partition("=")
    stranger, old = f"{name}={value[:20]}{'A' * 40}", world.cookie
    unknown = f"{name}={'A' * 60}"
    world.ask(logs_in())
    for cookie in (f"{name}=x", f"{old}; {stranger}", unknown, old):
        world.ask(reads, cookie=cookie)
    name, _, value = world.cookie.partition("=")
    world.ask(reads, cookie=f"{name}={value[:20]}{'A' * 40}")


def replays(world: World) -> None:
    """Use a ticket whose successor was seen, while another session is there."""
    world.ask(logs_in())
    world.ask(logs_in(), cookie="")
    stolen = world.cookie
    world.ask(rotates)
    world.ask(reads)
    world.clock.advance(91)
    world.ask(reads, cookie=stolen, peer=ABROAD)


def lags(world: World) -> None:
    """Come back with a used ticket: from a browser that was killed, and from a slow proxy."""
    world.ask(logs_in())
    old = world.cookie
    world.ask(rotates)
    world.ask(reads)
    world.clock.advance(91)
    world.ask(reads, cookie=old)
    world.clock.advance(91)
    world.ask(reads)
    world.ask(reads, cookie=old)


def moves(world: World) -> None:
    """Come from elsewhere and write."""
    world.ask(logs_in())
    world.ask(puts(v=1), peer=ABROAD)


def ends(world: World) -> None:
    """Log out; have one session ended."""
    world.ask(logs_in())
    world.ask(logs_out)
    world.ask(logs_in())
    world.sessions.sync.end(world.session_id)


def ends_all(world: World) -> None:
    """The same; and have all ended."""
    ends(world)
    world.cookie = ""
    world.ask(logs_in())
    world.sessions.sync.end_all("alice")


STORIES: Final[dict[str, tuple[Policy, Story, str]]] = {
    "a visit": (Policy(), lambda w: (w.ask(reads), w.ask(puts(v=1)), w.ask(reads)), "Created"),
    "two factors": (Policy(), begins, "LoginBegun Ended LoggedIn"),
    "a new device": (Policy(know_devices=days(1)), twice, "LoggedIn LoggedIn NewDevice"),
    "a payment": (Policy(), pays, "LoggedIn Ended SteppedUp GrantUsed"),
    "a lock": (Policy(lock=hours(1)), idles, "LoggedIn Locked Locked Ended Reopened"),
    "an end": (Policy(), outlasts, "LoggedIn Expired"),
    "a turn": (Policy(), lambda w: (w.ask(logs_in()), w.ask(rotates)), "LoggedIn Rotated"),
    "strangers": (Policy(), knocks, "LoggedIn Ended LoggedIn" + " Refused" * 5),
    "late": (Policy(), lags, "LoggedIn Rotated StaleTicket StaleTicket"),
    "theft": (
        Policy(on_replay=OnReplay.END_SESSION),
        replays,
        "LoggedIn LoggedIn Rotated Replayed Ended",
    ),
    "theft that locks": (
        Policy(on_replay=OnReplay.LOCK),
        replays,
        "LoggedIn LoggedIn Rotated Replayed Locked",
    ),
    "recorded": (binding_policy(OnMismatch.RECORD), moves, "LoggedIn Mismatched"),
    "turned": (binding_policy(OnMismatch.ROTATE), moves, "LoggedIn Mismatched Rotated"),
    "shut": (binding_policy(OnMismatch.STEP_UP), moves, "LoggedIn Locked Mismatched Dropped"),
    "ended": (binding_policy(OnMismatch.END), moves, "LoggedIn Mismatched Ended Created"),
    "ends": (Policy(), ends, "LoggedIn Ended LoggedIn Ended"),
}

STORIES_OF_OWNERS: Final[dict[str, tuple[Policy, Story, str]]] = {
    "one too many": (Policy(limit=1), twice, "LoggedIn Ended LoggedIn"),
    "refused": (Policy(limit=1, on_limit=OnLimit.REFUSE), exceeds, "LoggedIn LimitReached"),
    "theft that ends all": (
        Policy(on_replay=OnReplay.END_ALL),
        replays,
        "LoggedIn LoggedIn Rotated Ended Replayed Ended",
    ),
    "ends of all": (Policy(), ends_all, "LoggedIn Ended LoggedIn Ended LoggedIn Ended"),
}


class Events(Stories):
    """Every fact once, with whose request it was, and no secret."""

    @pytest.mark.parametrize("name", STORIES)
    def test_each_fact_is_told_when_it_happens(self, store: Store, drive: Drive, name: str) -> None:
        """A story is told as these events, in this order, and no others."""
        self._check_events(store, drive, *STORIES[name])

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("name", STORIES_OF_OWNERS)
    def test_each_fact_of_many_sessions_is_told_when_it_happens(
        self, store: Store, drive: Drive, name: str
    ) -> None:
        """Nor are there others where one user's sessions are counted, or ended together."""
        self._check_events(store, drive, *STORIES_OF_OWNERS[name])

    def _check_events(
        self, store: Store, drive: Drive, policy: Policy, story: Story, told: str
    ) -> None:
        world = World(store, drive, policy=policy)
        story(world)

        assert [type(event).__name__ for event in world.events] == told.split()

    @pytest.mark.parametrize("name", STORIES)
    def test_facts_carry_the_client_and_no_secret(
        self, store: Store, drive: Drive, name: str
    ) -> None:
        """Whose request it was stands in each fact that one caused; no ticket stands in any."""
        policy, story, _ = STORIES[name]
        self._check_facts(World(store, drive, policy=policy), story)

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("name", STORIES_OF_OWNERS)
    def test_facts_of_many_sessions_carry_the_client_and_no_secret(
        self, store: Store, drive: Drive, name: str
    ) -> None:
        """So does it where one user's sessions are counted, or ended together."""
        policy, story, _ = STORIES_OF_OWNERS[name]
        self._check_facts(World(store, drive, policy=policy), story)

    def _check_facts(self, world: World, story: Story) -> None:
        story(world)
        told = repr(world.events) + repr([msgspec.to_builtins(e) for e in world.events])

        for event in world.events:
            commanded = isinstance(event, events.Ended) and event.reason is End.COMMAND
            if not (commanded or isinstance(event, events.GrantUsed)):
                assert event.client is not None, event
                assert event.client.address in {HOME, ABROAD}, event
        assert world.issued
        for cookie in world.issued:
            assert cookie[-40:] not in told

    def test_refusals_say_why(self, store: Store, drive: Drive) -> None:
        """Each way of presenting what opens nothing has a reason of its own."""
        world = World(store, drive)
        knocks(world)

        assert [e.reason for e in world.events_of(events.Refused)] == [
            RefusalReason.SHAPE,
            RefusalReason.AMBIGUOUS,
            RefusalReason.UNKNOWN,
            RefusalReason.OVER,
            RefusalReason.STRANGER,
        ]

    @needs(Capability.OWNERS)
    def test_ends_say_why(self, store: Store, drive: Drive) -> None:
        """A logout, a login in its place, a limit, a command, a theft: each end has its reason."""
        reasons = []
        for story, policy in (
            (ends_all, Policy()),
            (begins, Policy()),
            (twice, Policy(limit=1)),
            (replays, Policy(on_replay=OnReplay.END_ALL)),
            (moves, binding_policy(OnMismatch.END)),
        ):
            world = World(store, drive, policy=policy)
            world.sessions.sync.end_all("alice")
            world.events.clear()
            story(world)
            reasons += [e.reason for e in world.events_of(events.Ended)]

        assert reasons == [
            End.LOGOUT, End.COMMAND, End.COMMAND, End.LOGIN, End.LIMIT, End.THEFT, End.REPLAY,
            End.MISMATCH,
        ]  # fmt: skip
