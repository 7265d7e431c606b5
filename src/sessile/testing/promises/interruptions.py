"""What sessions promise of a store whose answer is lost: nothing is half done.

Every act of I/O of a use case fails in turn, once after it was carried out and once in its place
(``testing.step.interruptions``). The client got a 503 and no cookie: it comes back with the ticket
that it holds, and tries again.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from sessile.core.flow import Flow
from sessile.core.policy import OnReplay, Policy, days, hours, minutes
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import StepUpNeeded, StoreUnavailable
from sessile.service import manage
from sessile.service.open import open_transaction
from sessile.service.require import use_grant
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, OnLimit, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.scenes import Scene, has_cart, has_logged_in, has_nothing, living
from sessile.testing.promises.stories import (
    adds,
    appends,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
)
from sessile.testing.step import Interruption, interruptions
from sessile.testing.world import ABROAD, World

_users = count()
KNOWING = Policy(know_devices=days(90))
ONE = Policy(limit=1)
ONE_REFUSED = Policy(limit=1, on_limit=OnLimit.REFUSE)
LOCKING = Policy(idle=minutes(30), lock=hours(4), rotate=hours(9))
THREE = 3


class Interruptions:
    """A ticket that works, nobody's session, and everything that was acknowledged."""

    def cuts(
        self,
        store: Store,
        drive: Drive,
        begin: Callable[[Scene], object],
        flow: Callable[[Scene], Flow[Any]],
        policy: Policy | None = None,
    ) -> Iterator[Interruption[Scene, Any]]:
        """Yield every interruption of a flow; its client learns that the store failed."""
        for cut in self.all_cuts(store, drive, begin, flow, policy):
            if cut.outcome.error is None and cut.stop.endswith("settle"):
                continue  # the act stood, and what was left behind is settled by the next one
            assert isinstance(cut.outcome.error, StoreUnavailable), cut.stop
            yield cut

    def all_cuts(
        self,
        store: Store,
        drive: Drive,
        begin: Callable[[Scene], object],
        flow: Callable[[Scene], Flow[Any]],
        policy: Policy | None = None,
    ) -> Iterator[Interruption[Scene, Any]]:
        """Yield every interruption of a flow, which may go on without what is none of its own."""

        def scene() -> Scene:
            world = World(store, drive, policy=policy)
            new = Scene(world, f"user {next(_users)}", frozenset(living(world)))
            begin(new)
            return new

        return interruptions(scene, flow, drive=drive)

    # Values

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_change_is_made_once_or_not_at_all(
        self, store: Store, drive: Drive
    ) -> None:
        """Who is not told whether a change was stored finds it whole or not, and can repeat it."""

        def change(session: Session) -> None:
            appends("sock")(session)
            adds(session)
            session["v"] = 1

        for cut in self.cuts(store, drive, has_logged_in, lambda it: it.request(change)):
            it = cut.world
            made = {"cart": ["hat", "sock"], "hits": 1, "v": 1}
            is_done = cut.is_done and "commit" in cut.stop
            it.check(it.user, made if is_done else {"cart": ["hat"]}, cut.stop)
            it.world.ask(change)
            twice = {"cart": ["hat", "sock", "sock"], "hits": 2, "v": 1}
            it.check(it.user, twice if is_done else made, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_first_value_leaves_one_session_of_nobody(
        self, store: Store, drive: Drive
    ) -> None:
        """A visitor whose first value may be stored stores it again; the other one is listed."""
        for cut in self.cuts(store, drive, has_nothing, lambda it: it.request(puts(v=1))):
            it = cut.world
            it.world.ask(puts(v=1))
            assert it.world.values() == {"v": 1}, cut.stop
            assert len(it.unheld()) == cut.is_done, cut.stop

    # Tickets

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_rotation_loses_nobody(self, store: Store, drive: Drive) -> None:
        """The ticket that the client holds opens its session, however often it is turned."""
        for cut in self.cuts(store, drive, has_logged_in, lambda it: it.request(rotates)):
            it = cut.world
            it.world.clock.advance(hours(0.2))  # long past any grace
            it.check(it.user, {"cart": ["hat"]}, cut.stop)
            it.world.ask(rotates)
            it.world.ask(puts(v=1))
            it.check(it.user, {"cart": ["hat"], "v": 1}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_first_use_of_a_ticket_loses_nobody(
        self, store: Store, drive: Drive
    ) -> None:
        """A ticket that may have been noted as shown is still the current one."""

        def begin(it: Scene) -> None:
            has_logged_in(it)
            it.world.ask(rotates)

        for cut in self.all_cuts(store, drive, begin, lambda it: it.request(reads)):
            it = cut.world
            it.world.clock.advance(hours(0.2))
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    # Logins

    @needs(Capability.OWNERS, Capability.SCAN)
    @pytest.mark.parametrize("policy", [Policy(), ONE, ONE_REFUSED])
    def test_interrupted_login_is_made_again(
        self, store: Store, drive: Drive, policy: Policy
    ) -> None:
        """The second one is the only one, with all that the visitor had; no limit refuses it."""
        for cut in self.cuts(store, drive, has_cart, lambda it: it.request(it.logs_in), policy):
            it = cut.world
            is_done = cut.is_done and "replace" in cut.stop
            seen = it.world.ask(reads)
            assert (seen.user, seen.result) == (None, {} if is_done else {"cart": ["hat"]})
            assert len(it.live()) == 1, cut.stop
            it.world.ask(it.logs_in)
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_memory_of_devices_costs_no_login(self, store: Store, drive: Drive) -> None:
        """A login that is stored is answered, though nobody will know its device again."""
        known = 0
        for cut in self.all_cuts(
            store, drive, has_cart, lambda it: it.request(it.logs_in), KNOWING
        ):
            if cut.outcome.error is None:
                cut.world.world.cookie = cut.outcome.get().cookie
                cut.world.check(cut.world.user, {"cart": ["hat"]}, cut.stop)
                known += 1
        assert known > 0

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_login_that_is_lost_again_and_again_is_made_at_last(
        self, store: Store, drive: Drive
    ) -> None:
        """However many answers were lost, the values are there and no session is nobody's."""

        def begin(it: Scene) -> None:
            has_cart(it)
            for _ in range(THREE):
                ticket = it.world.cookie
                it.world.ask(it.logs_in)
                it.world.cookie = ticket

        for cut in self.cuts(store, drive, begin, lambda it: it.request(it.logs_in)):
            it = cut.world
            it.world.ask(it.logs_in)
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_login_made_again_is_the_same_users(self, store: Store, drive: Drive) -> None:
        """With the ticket of before a login nobody but its user comes to what it took along."""
        for cut in self.cuts(store, drive, has_cart, lambda it: it.request(it.logs_in)):
            it, other = cut.world, f"{cut.world.user}'s neighbour"
            if cut.is_done and "replace" in cut.stop:
                it.world.ask(logs_in(other))
                assert it.world.values() == {}, cut.stop
                assert [one.id for one in it.world.sessions.sync.of(it.user)] == [*it.unheld()]

    @needs(Capability.OWNERS, Capability.SCAN)
    @pytest.mark.parametrize("policy", [Policy(), ONE])
    def test_interrupted_login_of_a_stranger_leaves_one_at_most(
        self, store: Store, drive: Drive, policy: Policy
    ) -> None:
        """Without a ticket from before, the lost login is listed; a limit of one leaves one."""
        for cut in self.cuts(store, drive, has_nothing, lambda it: it.request(it.logs_in), policy):
            it = cut.world
            it.world.ask(it.logs_in)
            left, is_done = it.unheld(), cut.is_done and "replace" in cut.stop
            assert len(left) == (is_done and policy is not ONE), cut.stop
            listed = {info.id for info in it.world.sessions.sync.of(it.user)}
            assert left < listed, cut.stop
            assert len(listed) == 1 + len(left), cut.stop

    @needs(Capability.OWNERS, Capability.SCAN)
    @pytest.mark.parametrize("policy", [Policy(), ONE, ONE_REFUSED])
    def test_interrupted_login_in_two_steps_begins_again(
        self, store: Store, drive: Drive, policy: Policy
    ) -> None:
        """Whichever step was lost, the user begins once more, and has everything in the end."""

        def finishes(session: Session) -> None:
            session.finish_login(factors=("totp",))

        for cut in self.cuts(store, drive, has_cart, lambda it: it.request(it.begins), policy):
            it = cut.world
            it.world.ask(it.begins)
            it.world.ask(finishes)
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

        def begin(it: Scene) -> None:
            has_cart(it)
            it.world.ask(it.begins)
            it.world.ask(reads)

        for cut in self.cuts(store, drive, begin, lambda it: it.request(finishes), policy):
            it = cut.world
            it.world.ask(it.begins)
            is_done = cut.is_done and "replace" in cut.stop
            seen = it.world.ask(reads)  # one factor is not enough for what two of them opened
            assert (seen.user, seen.result) == (None, {} if is_done else {"cart": ["hat"]})
            it.world.ask(it.begins)
            it.world.ask(finishes)
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_step_up_is_undone_or_found_by_a_login(
        self, store: Store, drive: Drive
    ) -> None:
        """Who may have stepped up goes on as before, or logs in again and misses nothing."""
        for cut in self.cuts(store, drive, has_logged_in, lambda it: it.request(steps_up("pay"))):
            it = cut.world
            is_done = cut.is_done and "replace" in cut.stop
            assert it.world.ask(reads).user == (None if is_done else it.user), cut.stop
            it.world.ask(it.logs_in if is_done else steps_up("pay"))
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_unlocking_is_undone_or_found_by_a_login(
        self, store: Store, drive: Drive
    ) -> None:
        """Who may have opened their lock finds it shut as before, or logs in again."""

        def begin(it: Scene) -> None:
            has_logged_in(it)
            it.world.clock.advance(LOCKING.idle)

        def unlocks(session: Session) -> None:
            session.unlock(factors=("password",))

        for cut in self.cuts(store, drive, begin, lambda it: it.request(unlocks), LOCKING):
            it = cut.world
            is_done = cut.is_done and "replace" in cut.stop
            locked = it.world.ask(lambda session: session.locked_user).result
            assert locked == (None if is_done else it.user), cut.stop
            it.world.ask(it.logs_in if is_done else unlocks)
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_use_of_a_grant_allows_nothing_twice(
        self, store: Store, drive: Drive
    ) -> None:
        """A grant that may be spent is spent, or is there still: what it allows is done once."""

        def begin(it: Scene) -> None:
            has_logged_in(it)
            it.world.ask(steps_up("pay"))
            it.world.ask(reads)

        async def spends(it: Scene) -> None:
            context = context_of(it.world.sessions)
            said = {"cookie": it.world.cookie, "user-agent": it.world.agent}
            opened = await open_transaction(context, PlainRequest(said, peer=it.world.peer))
            await use_grant(context, Session(opened.state), "pay")

        for cut in self.cuts(store, drive, begin, spends):
            it = cut.world
            is_done = cut.is_done and "commit" in cut.stop
            if is_done:
                with pytest.raises(StepUpNeeded):
                    drive(spends(it))
            else:
                drive(spends(it))
            it.check(it.user, {"cart": ["hat"]}, cut.stop)

    # Ends

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_logout_is_made_again(self, store: Store, drive: Drive) -> None:
        """Who may be logged out is somebody still, or nobody; after another logout nobody."""
        for cut in self.cuts(store, drive, has_logged_in, lambda it: it.request(logs_out)):
            it = cut.world
            is_done = cut.is_done and "delete" in cut.stop
            assert it.world.ask(reads).user == (None if is_done else it.user), cut.stop
            it.world.ask(logs_out)
            it.check(None, {}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    @pytest.mark.parametrize("verb", ["end", "end_all", "end_everybody"])
    def test_interrupted_end_is_made_again(self, store: Store, drive: Drive, verb: str) -> None:
        """An operator who is not told whether sessions ended ends them again, and they have."""

        def begin(it: Scene) -> None:
            has_logged_in(it)
            if verb != "end":
                it.world.ask(it.logs_in, cookie="")

        async def end(it: Scene) -> None:
            context = context_of(it.world.sessions)
            if verb == "end":
                for info in await manage.sessions_of(context, it.user, None):
                    await manage.end(context, info.id)
            elif verb == "end_all":
                await manage.end_all(context, it.user, None)
            else:
                await manage.end_everybody(context)

        for cut in self.all_cuts(store, drive, begin, end):
            if cut.outcome.error is None:  # what failed was to look at the server's disk
                cut.world.check(None, {}, cut.stop)
            drive(end(cut.world))
            cut.world.check(None, {}, cut.stop)

    @needs(Capability.OWNERS, Capability.SCAN)
    def test_interrupted_end_for_theft_is_made_by_the_next_replay(
        self, store: Store, drive: Drive
    ) -> None:
        """A thief whose request failed ends the user's sessions by the next one."""
        stolen: dict[str, str] = {}

        def begin(it: Scene) -> None:
            has_logged_in(it)
            stolen[it.user] = it.world.cookie
            it.world.ask(rotates)
            it.world.ask(reads)
            it.world.ask(it.logs_in, cookie="")
            it.world.clock.advance(91)

        def replay(it: Scene) -> Flow[Any]:
            return it.world.request(stolen[it.user], reads, peer=ABROAD)

        for cut in self.all_cuts(store, drive, begin, replay, Policy(on_replay=OnReplay.END_ALL)):
            assert drive(replay(cut.world)).user is None, cut.stop
            cut.world.check(None, {}, cut.stop)
