"""What sessions promise of a login that is sent twice with one ticket, whichever comes first.

A browser that got no answer asks again, while its first request may still be on its way. Whichever
is carried out last takes the other one's place, and the client may have the ticket of either.
"""

from collections.abc import Sequence

import pytest

from sessile.core.policy import Policy, minutes
from sessile.core.session import Session
from sessile.stores.contract import Capability, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import (
    Act,
    Stories,
    logs_in,
    logs_out,
    puts,
    reads,
    rotates,
)
from sessile.testing.world import ABROAD, HOME, NEWER, SECRET, World

ONE = Policy(limit=1)
TIMES = 3
THEIRS = {"cart": ["hat"], "lang": "en"}


def proves(*factors: str, assurance: int = 1) -> Act:
    """Handle a request that logs in with those factors."""

    def handle(session: Session) -> None:
        session.login("alice", factors=factors, assurance=assurance)

    return handle


class Retries(Stories):
    """Neither answer of a login that was sent twice logs anybody out, or lets anybody in."""

    def world_with_retries(
        self,
        store: Store,
        drive: Drive,
        acts: Sequence[Act],
        *,
        peer: str | None = None,
        policy: Policy | None = None,
    ) -> tuple[World, list[str]]:
        """Return a world that has logged in several times with one ticket, and what it was given.

        Its browser has the last one; that request came from ``peer``.
        """
        world = World(store, drive, policy=policy)
        world.ask(puts(**THEIRS))
        old, peers = world.cookie, [*[HOME] * (len(acts) - 1), peer or HOME]
        given = [world.ask(act, old, peer=at).cookie for act, at in zip(acts, peers, strict=True)]
        world.cookie = given[-1]
        return world, given

    def test_login_sent_twice_logs_nobody_out(self, store: Store, drive: Drive) -> None:
        """Wherever the two meet, either answer is one of a session that the user goes on with."""
        for met in self.meetings(store, drive, logs_in(), logs_in(), user=None):
            for reply in (met.b.get(), met.a.get()):
                met.world.cookie = reply.cookie
                met.world.ask(puts(v=1))
                seen = met.world.ask(reads)
                assert (seen.user, seen.result) == ("alice", THEIRS | {"v": 1}), met.stop

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("policy", [Policy(), ONE])
    def test_ticket_of_an_overtaken_login_is_exchanged(
        self, store: Store, drive: Drive, policy: Policy
    ) -> None:
        """However often a login was sent, each of its tickets is good for the newest session."""
        world, given = self.world_with_retries(store, drive, [logs_in()] * TIMES, policy=policy)
        for cookie in given[:-1]:
            reply = world.ask(reads, cookie)
            assert (reply.user, reply.result, reply.cookie) == ("alice", THEIRS, given[-1])
        world.ask(puts(v=1), given[0])

        assert world.ask(reads).result == THEIRS | {"v": 1}
        assert len(world.sessions.sync.of("alice")) == 1

    def test_servers_with_other_newest_secrets_exchange_it(
        self, store: Store, drive: Drive
    ) -> None:
        """While a new secret is rolled out, either server knows the login that the other made."""
        world, (lost, newest) = self.world_with_retries(store, drive, [logs_in()] * 2)
        for secrets in ((NEWER, SECRET), (SECRET, NEWER)):
            other = World(store, drive, clock=world.clock, secrets=secrets)
            assert other.ask(reads, lost).cookie == newest

    def test_exchanged_ticket_turns_like_any_other(self, store: Store, drive: Drive) -> None:
        """Whoever rotates with an overtaken login's ticket is handed the next, as its parent is."""
        world, (lost, newest) = self.world_with_retries(store, drive, [logs_in()] * 2)
        rotated = world.ask(rotates, lost).cookie

        assert world.ask(reads, lost).cookie == world.ask(reads, newest).cookie == rotated
        assert world.ask(reads, rotated).user == "alice"

    def test_overtaken_login_is_a_used_ticket_after_the_grace(
        self, store: Store, drive: Drive
    ) -> None:
        """Once its client has long gone on with the newest session, an older ticket opens nothing.

        It ends nothing either: nobody ever went on with it.
        """
        world, (lost, _) = self.world_with_retries(store, drive, [logs_in()] * 2)
        world.ask(reads)
        grace = Policy().grace + Policy().clock_skew
        world.clock.advance(grace)
        assert world.ask(reads, lost).user == "alice"
        world.clock.advance(1.0)
        late = world.ask(puts(v=1), lost)

        assert (late.user, late.set_cookie) == (None, None)
        assert world.ask(reads).result == THEIRS

    @pytest.mark.parametrize(
        ("retry", "peer"),
        [
            (proves("password", "totp"), HOME),
            (proves("password", assurance=2), HOME),
            (proves("password"), ABROAD),
        ],
        ids=["another factor", "more assurance", "from elsewhere"],
    )
    def test_nobody_rises_by_a_login_made_again(
        self, store: Store, drive: Drive, retry: Act, peer: str
    ) -> None:
        """Who proved less, or was another client, is not handed what a later login made."""
        world, (lost, newest) = self.world_with_retries(
            store, drive, [proves("password"), retry], peer=peer
        )
        reply = world.ask(puts(v=1), lost)

        assert newest not in (reply.set_cookie or "")
        assert "v" not in world.values()

    @needs(Capability.OWNERS)
    def test_overtaken_login_is_found_by_another_one(self, store: Store, drive: Drive) -> None:
        """Whoever holds the ticket of a login that another one took the place of misses nothing."""
        acts = [proves("password"), proves("password", "totp")]
        world, (lost, _) = self.world_with_retries(store, drive, acts)
        world.cookie = world.ask(logs_in(), lost).cookie

        assert world.values() == THEIRS
        assert len(world.sessions.sync.of("alice")) == 1

    @needs(Capability.OWNERS)
    def test_overtaken_login_that_was_ended_is_no_stale_request(
        self, store: Store, drive: Drive
    ) -> None:
        """Its ticket may be the newest that its client knows: what that sets is not dropped."""
        for ticket in (0, -1):
            world, given = self.world_with_retries(store, drive, [logs_in()] * TIMES)
            world.sessions.sync.end_all("alice")
            world.cookie = world.ask(puts(v=1), given[ticket]).cookie

            assert world.values() == {"v": 1}

    @needs(Capability.OWNERS)
    def test_logout_ends_the_newest_of_a_login_sent_twice(self, store: Store, drive: Drive) -> None:
        """With whichever ticket it is asked for, and however late."""
        for late in (0.0, minutes(1.9)):
            world, (lost, _) = self.world_with_retries(store, drive, [logs_in()] * 2)
            world.ask(reads)
            world.clock.advance(late)
            world.ask(logs_out, lost)

            assert world.ask(reads).user is None
            assert world.sessions.sync.of("alice") == []
