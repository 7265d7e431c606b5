"""What theft promises over any store: it ends the session, and leaves evidence and nothing else."""

from itertools import count

import pytest

from sessile.core.binding import Binding, OnMismatch
from sessile.core.policy import OnReplay, Policy, days
from sessile.core.record import evolve
from sessile.errors import StoreUnavailable
from sessile.service import events
from sessile.service.events import End
from sessile.service.evidence import MOST_EVIDENCE
from sessile.service.manage import end_all
from sessile.service.sessions import context_of
from sessile.stores.contract import Capability, Change, Key, Record, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    Act,
    Stories,
    costs,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
    steps_up,
)
from sessile.testing.step import interleavings, interruptions
from sessile.testing.world import ABROAD, HOME, World

_users = count()


class Thefts(Stories):
    """A replay ends what was stolen, and what is kept of it opens nothing."""

    def world_with_theft(
        self, store: Store, drive: Drive, user: str = "alice", policy: Policy | None = None
    ) -> tuple[World, Key, str]:
        """Return a world, its session's id, and a used ticket of it that a thief has."""
        world = self.world_with_login(store, drive, user, policy)
        key = Key(world.ask(lambda session: session.id).result)
        stolen = world.cookie
        world.ask(rotates)
        world.ask(puts(cart=["hat"]))
        world.clock.advance(91)
        return world, key, stolen

    def suffer_theft(self, store: Store, drive: Drive, user: str = "alice") -> Key:
        """Return the id of a session that a replay ended."""
        world, key, stolen = self.world_with_theft(store, drive, user)
        world.ask(reads, cookie=stolen, peer=ABROAD)
        return key

    def test_replay_leaves_evidence(self, store: Store, drive: Drive) -> None:
        """Whose session it was, its trail, and who came: kept for as long as the policy says."""
        world, key, stolen = self.world_with_theft(store, drive, policy=Policy(evidence=days(2)))
        assert world.sessions.sync.evidence(key) is None
        world.ask(reads, cookie=stolen, peer=ABROAD)
        kept = world.sessions.sync.evidence(key)

        assert kept is not None
        assert (kept.user, kept.address, kept.device) == ("alice", HOME, "Firefox on Linux")
        assert [line.what for line in kept.trail] == ["login", "ended: a used ticket came back"]
        assert kept.trail[-1].address == ABROAD
        world.clock.advance(days(2) - 1)
        assert world.sessions.sync.evidence(key) == kept
        world.clock.advance(1)
        assert world.sessions.sync.evidence(key) is None

    def test_replay_is_told(self, store: Store, drive: Drive) -> None:
        """One event says who came and who was expected, one that the session has ended."""
        world, key, stolen = self.world_with_theft(store, drive)
        world.events.clear()
        world.ask(reads, cookie=stolen, peer=ABROAD)
        replayed, ended = world.events

        assert isinstance(replayed, events.Replayed)
        assert isinstance(ended, events.Ended)
        assert (replayed.session, ended.session, ended.reason) == (key, key, End.REPLAY)
        assert (replayed.owner, ended.owner) == ("alice", "alice")
        assert (replayed.client and replayed.client.address) == ABROAD
        assert replayed.expected.address == HOME
        assert replayed.evidence == world.clock() + Policy().evidence

    def test_evidence_is_no_session(self, store: Store, drive: Drive) -> None:
        """It is shown nowhere, cannot be ended, and no ticket of that session opens it."""
        world, key, stolen = self.world_with_theft(store, drive)
        world.ask(reads, cookie=stolen, peer=ABROAD)

        assert world.sessions.sync.show(key) is None
        assert world.of("alice") == []
        assert world.sessions.sync.end(key) is False
        if Capability.OWNERS in store.capabilities:
            assert world.sessions.sync.end_all("alice") == 0
        for cookie in (stolen, world.cookie):
            for act in (reads, puts(v=1)):
                reply = world.ask(act, cookie=cookie)
                assert (reply.user, reply.result or {}) == (None, {})
        assert world.sessions.sync.evidence(key) is not None

    def test_evidence_of_a_user_is_the_newest(self, store: Store, drive: Drive) -> None:
        """However many thefts a user makes, so many are kept; nobody else's evidence goes."""
        bobs, asked = self.suffer_theft(store, drive, "bob"), []
        ids = [self.suffer_theft(store, drive) for _ in range(MOST_EVIDENCE)]
        for _ in range(3):
            world, key, stolen = self.world_with_theft(store, drive)
            asked.append(len(costs(world.request(stolen, reads, peer=ABROAD), drive)))
            ids.append(key)

        show = World(store, drive).sessions.sync.evidence
        assert [key for key in ids if show(key) is not None] == ids[3:]
        assert [drive(store.read(key)) for key in ids[:3]] == [None] * 3
        assert show(bobs) is not None
        assert asked[1] == asked[2]
        # the read, the end, three for the list; an index, what is compared; two more in shards
        assert asked[1] <= 9

    def test_rival_thefts_are_listed_both(self, store: Store, drive: Drive) -> None:
        """Of two thefts at once no evidence is lost, and none is left that is never counted."""
        ids: list[Key] = []

        def two() -> tuple[World, str, World, str]:
            both = [self.world_with_theft(store, drive) for _ in range(2)]
            ids.extend(key for _, key, _ in both)
            (one, _, stolen), (other, _, taken) = both
            return one, stolen, other, taken

        show = World(store, drive).sessions.sync.evidence
        for met in interleavings(
            two,
            lambda it: it[0].request(it[1], reads, peer=ABROAD),
            lambda it: it[2].request(it[3], reads, peer=ABROAD),
            drive=drive,
        ):
            met.a.get(), met.b.get()
            assert [show(key) is not None for key in ids[-2:]] == [True] * 2, met.stop
        for _ in range(MOST_EVIDENCE):
            self.suffer_theft(store, drive)

        assert [key for key in ids if show(key) is not None] == []

    def test_theft_ends_though_its_evidence_cannot_be_listed(
        self, store: Store, drive: Drive
    ) -> None:
        """Whatever the store fails at once the stolen session has ended, it costs no answer."""
        users = count()
        for cut in interruptions(
            lambda: self.world_with_theft(store, drive, f"listed {next(users)}"),
            lambda it: it[0].request(it[2], reads, peer=ABROAD),
            drive=drive,
        ):
            world, key, _ = cut.world
            if world.events_of(events.Ended):
                assert cut.outcome.get().user is None, cut.stop
                assert world.sessions.sync.evidence(key) is not None, cut.stop
                assert world.ask(reads).user is None, cut.stop
            else:
                assert isinstance(cut.outcome.error, StoreUnavailable), cut.stop

    def test_evidence_of_nobody_lasts_no_longer_than_its_session(
        self, store: Store, drive: Drive
    ) -> None:
        """It stands in no list: what ends before anybody is logged in is kept for its own time."""
        policy = Policy(binding=Binding(on_mismatch=OnMismatch.END))
        world = World(store, drive, policy=policy)
        world.ask(lambda session: session.begin_login("alice", factors=("password",)))
        key = Key(world.ask(lambda session: session.id).result)
        stored = drive(store.read(key))
        world.ask(reads, cookie=world.cookie, peer=ABROAD)

        assert isinstance(stored, Record)
        assert stored.until < world.clock() + policy.evidence
        world.clock.advance(stored.until - world.clock() - 1)
        assert world.sessions.sync.evidence(key) is not None
        world.clock.advance(1)
        assert world.sessions.sync.evidence(key) is None

    def test_victim_begins_anew_at_once(self, store: Store, drive: Drive) -> None:
        """With the dead cookie still in the browser a new session starts, and a login works."""
        world, _, stolen = self.world_with_theft(store, drive)
        world.ask(reads, cookie=stolen, peer=ABROAD)
        world.ask(puts(v=1))
        assert world.values() == {"v": 1}

        assert world.ask(logs_in()).user == "alice"
        assert world.ask(reads).user == "alice"

    def test_evidence_cannot_be_changed(self, store: Store, drive: Drive) -> None:
        """Under secrets, evidence that somebody wrote to counts as none, and that is told."""
        world, key, stolen = self.world_with_theft(store, drive)
        world.ask(reads, cookie=stolen, peer=ABROAD)
        kept = drive(store.read(key))
        assert isinstance(kept, Record)
        draft = evolve(kept, version=kept.version + 1, owner="mallory")
        drive(store.commit(Change(draft, kept.version)))

        assert world.sessions.sync.evidence(key) is None
        assert world.events_of(events.Malformed)

    @pytest.mark.parametrize("theft", [OnReplay.END_SESSION, OnReplay.LOCK])
    def test_theft_ends_what_the_policy_says(
        self, store: Store, drive: Drive, theft: OnReplay
    ) -> None:
        """The owner's other sessions go on, and so do those of others."""
        self._check_end_of_others(store, drive, theft)

    @needs(Capability.OWNERS)
    def test_theft_ends_all_if_the_policy_says_so(self, store: Store, drive: Drive) -> None:
        """The owner's other sessions end as well; those of others go on."""
        self._check_end_of_others(store, drive, OnReplay.END_ALL)

    def _check_end_of_others(self, store: Store, drive: Drive, theft: OnReplay) -> None:
        world, _, stolen = self.world_with_theft(store, drive, policy=Policy(on_replay=theft))
        other = world.ask(logs_in(), cookie="").cookie
        bobs = world.ask(logs_in("bob"), cookie="").cookie
        world.ask(reads, cookie=stolen, peer=ABROAD)
        ends_all = theft is OnReplay.END_ALL

        assert world.ask(reads, cookie=other).user == (None if ends_all else "alice")
        assert world.ask(reads, cookie=bobs).user == "bob"
        assert bool([e for e in world.events_of(events.Ended) if "THEFT" in repr(e)]) is ends_all

    @needs(Capability.OWNERS)
    def test_theft_ends_what_steps_up_meanwhile(self, store: Store, drive: Drive) -> None:
        """Another session of the owner that goes on in a new one just then ends all the same."""

        def two() -> tuple[World, str, str]:
            user = f"user {next(_users)}"
            world, _, stolen = self.world_with_theft(
                store, drive, user, Policy(on_replay=OnReplay.END_ALL)
            )
            return world, stolen, world.ask(logs_in(user), cookie="").cookie

        for met in interleavings(
            two,
            lambda it: it[0].request(it[1], reads, peer=ABROAD),
            lambda it: it[0].request(it[2], steps_up()),
            drive=drive,
        ):
            world, met_b = met.world[0], met.b
            if met_b.error is None:
                cookie = met_b.get().cookie if met_b.get().set_cookie else met.world[2]
                assert world.ask(reads, cookie=cookie).user is None, met.stop

    @pytest.mark.parametrize("act", [logs_in(), logs_out, steps_up(), logs_in("bob")])
    def test_late_request_wipes_out_no_evidence(self, store: Store, drive: Drive, act: Act) -> None:
        """Whatever the session's own request in flight does, what was told as replayed is kept."""
        for met in interleavings(
            lambda: self.world_with_theft(store, drive),
            lambda it: it[0].request(it[0].cookie, act),
            lambda it: it[0].request(it[2], reads, peer=ABROAD),
            drive=drive,
        ):
            met.b.get()
            world, key, _ = met.world
            kept = world.sessions.sync.evidence(key) is not None
            assert kept is bool(world.events_of(events.Replayed)), met.stop

    @needs(Capability.OWNERS)
    def test_end_from_elsewhere_wipes_out_no_evidence(self, store: Store, drive: Drive) -> None:
        """Ending all sessions of the owner while one is replayed leaves the evidence of it."""
        for met in interleavings(
            lambda: self.world_with_theft(store, drive),
            lambda it: end_all(context_of(it[0].sessions), "alice", None),
            lambda it: it[0].request(it[2], reads, peer=ABROAD),
            drive=drive,
        ):
            met.a.get(), met.b.get()
            world, key, _ = met.world
            kept = world.sessions.sync.evidence(key) is not None
            assert kept is bool(world.events_of(events.Replayed)), met.stop

    def test_replay_of_what_was_replaced_leaves_none(self, store: Store, drive: Drive) -> None:
        """A replay that comes a moment after a login found nothing to end: late is not stolen."""
        for met in interleavings(
            lambda: self.world_with_theft(store, drive),
            lambda it: it[0].request(it[2], reads, peer=ABROAD),
            lambda it: it[0].request(it[0].cookie, logs_in()),
            drive=drive,
        ):
            world, key, _ = met.world
            replayed = bool(world.events_of(events.Replayed))
            assert (world.sessions.sync.evidence(key) is not None) is replayed, met.stop
            late = world.ask(puts(v=1))
            assert (late.set_cookie is None) is not replayed, met.stop
