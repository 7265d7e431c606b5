"""What is promised where other code than ours logs somebody in, over any store.

As Flask-Login, Django and tutorials do it: the user's key is written into the session.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from sessile.core.policy import Policy, hours, minutes
from sessile.core.session import Session
from sessile.errors import TooManySessions
from sessile.service.events import End, Ended, LoggedIn
from sessile.stores.contract import Capability, OnLimit, Store
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.promises.stories import Act, Stories, logs_in, puts, reads, rotates
from sessile.testing.step import interleavings
from sessile.testing.world import World

KEY = "_user_id"


def writes(user: object, **more: Any) -> Act:
    """Handle a request in which other code logs a user in."""
    return puts(**{KEY: user}, **more)


def removes(session: Session) -> Any:
    """Handle a request in which other code logs the user out, and nothing else."""
    del session[KEY]


def clears(session: Session) -> Any:
    """Handle a request that logs out as tutorials do."""
    session.clear()


def clears_first(user: object) -> Act:
    """Handle a login as Flask's tutorial does it: the session is emptied first."""

    def act(session: Session) -> None:
        session.clear()
        session.update({KEY: user, "lang": "de"})

    return act


def logs_out_first(user: object) -> Act:
    """Handle a login by other code after a logout by ours."""

    def act(session: Session) -> None:
        session.logout()
        session.update({KEY: user, "lang": "de"})

    return act


def user_of(values: Mapping[str, Any]) -> Any:
    """Return the user as a function of an application would."""
    return values["account"]["id"]


class Principals(Stories):
    """A login by anybody's code renews the id, and a logout ends the session."""

    @pytest.mark.parametrize("user", ["42", 42])
    def test_login_by_other_code_renews_the_id(
        self, store: Store, drive: Drive, user: object
    ) -> None:
        """Whoever planted the ticket is nobody after it; what the visitor had is the user's."""
        world = World(store, drive)
        world.ask(puts(cart=["hat"]))
        planted, before = world.cookie, world.ask(lambda session: session.id).result
        world.ask(writes(user, lang="en"))

        assert world.ask(reads).user == "42"
        assert world.values() == {"cart": ["hat"], KEY: user, "lang": "en"}
        assert world.ask(lambda session: session.id).result != before
        assert world.ask(reads, planted).result == {}
        (told,) = cast("list[LoggedIn]", world.events_of(LoggedIn))
        assert (told.owner, told.assurance) == ("42", 1)

    @needs(Capability.OWNERS)
    def test_login_by_other_code_is_listed(self, store: Store, drive: Drive) -> None:
        """It stands in the list of the user's sessions, and ends with them."""
        world = World(store, drive)
        world.ask(writes("42"))
        assert [one.id for one in world.sessions.sync.of("42")] == [
            world.ask(lambda session: session.id).result
        ]
        assert world.sessions.sync.end_all("42") == 1

        assert world.ask(reads).result == {}

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("on_limit", list(OnLimit))
    def test_login_by_other_code_keeps_the_limit(
        self, store: Store, drive: Drive, on_limit: OnLimit
    ) -> None:
        """It counts, it ends others, and it is refused, as the policy says."""
        world = World(store, drive, policy=Policy(limit=1, on_limit=on_limit))
        world.ask(writes("42"))
        world.ask(reads)
        first, world.cookie = world.cookie, ""
        if on_limit is OnLimit.REFUSE:
            with pytest.raises(TooManySessions):
                world.ask(writes("42"))
        else:
            world.ask(writes("42"))
            assert world.ask(reads).user == "42"

        assert len(world.sessions.sync.of("42")) == 1
        assert (world.ask(reads, first).user == "42") is (on_limit is OnLimit.REFUSE)

    @pytest.mark.parametrize("leaves", [removes, clears])
    def test_logout_by_other_code_ends_the_session(
        self, store: Store, drive: Drive, leaves: Act
    ) -> None:
        """Its ticket opens nothing any more, and the cookie goes; what was left there goes too."""
        world = World(store, drive)
        world.ask(writes("42", cart=["hat"]))
        world.ask(reads)
        old = world.cookie
        world.ask(leaves)

        assert world.cookie == ""
        assert world.ask(reads, old).result == {}
        assert [event.reason for event in cast("list[Ended]", world.events_of(Ended))] == [
            End.LOGOUT
        ]

    def test_what_a_logout_by_other_code_leaves_begins_a_new_session(
        self, store: Store, drive: Drive
    ) -> None:
        """A message for the next page is there, under another id; nothing else is."""
        world = World(store, drive)
        world.ask(writes("42", cart=["hat"]))
        old = world.cookie

        def leaves(session: Session) -> None:
            session["cart"].append("scarf")
            del session[KEY]
            session.flash("goodbye")

        world.ask(leaves)

        assert world.ask(lambda session: session.flashes()).result == [("message", "goodbye")]
        assert world.values() == {}
        assert world.ask(reads, old).result == {}

    @needs(Capability.OWNERS)
    def test_other_code_hands_nobody_the_values_of_another(
        self, store: Store, drive: Drive
    ) -> None:
        """Where one user follows another without a logout, what was there before is gone."""
        world = World(store, drive)
        world.ask(writes("alice", cart=["hat"], lang="en"))

        def follows(session: Session) -> None:
            session["cart"].append("scarf")
            session.increment("visits")
            session.update({KEY: "bob", "lang": "de"})

        world.ask(follows)

        assert world.ask(reads).user == "bob"
        assert world.values() == {KEY: "bob", "lang": "de"}
        assert [len(world.sessions.sync.of(user)) for user in ("alice", "bob")] == [0, 1]

    @needs(Capability.OWNERS)
    @pytest.mark.parametrize("user", ["alice", "bob"])
    @pytest.mark.parametrize("logs_in_anew", [clears_first, logs_out_first])
    @pytest.mark.parametrize("begins", [writes("alice", cart=["hat"]), logs_in("alice")])
    def test_login_behind_a_logout_is_a_login(
        self, store: Store, drive: Drive, begins: Act, logs_in_anew: Callable[[object], Act],
        user: str,
    ) -> None:  # fmt: skip
        """``session.clear()`` in front of it, as in Flask's tutorial, hides nobody from a list."""
        world = World(store, drive, policy=Policy(limit=1))
        world.ask(begins)
        world.ask(reads)
        old = world.cookie
        world.ask(logs_in_anew(user))

        assert world.ask(reads).user == user
        assert world.values() == {KEY: user, "lang": "de"}
        assert world.ask(reads, old).result == {}
        assert len(world.sessions.sync.of("alice")) == (1 if user == "alice" else 0)
        assert world.sessions.sync.end_all(user) == 1
        assert world.ask(reads).result == {}

    @needs(Capability.OWNERS)
    def test_key_that_was_there_unheeded_counts_when_it_is_written(
        self, store: Store, drive: Drive
    ) -> None:
        """Sessions from before ``principal=`` named it are found with the next login or logout."""
        before = World(store, drive, principal=None)
        worlds = [World(store, drive, clock=before.clock) for _ in range(3)]
        for world in worlds:
            before.cookie = ""
            before.ask(writes("alice", cart=["hat"]))
            world.cookie = before.cookie
        same, other, leaving = worlds
        same.ask(writes("alice"))
        other.ask(writes("bob"))
        leaving.ask(removes)

        assert (same.ask(reads).user, same.values()["cart"]) == ("alice", ["hat"])
        assert (other.ask(reads).user, other.values()) == ("bob", {KEY: "bob"})
        assert leaving.cookie == ""
        assert [len(same.sessions.sync.of(user)) for user in ("alice", "bob")] == [1, 1]

    def test_login_that_was_begun_long_ago_stands_in_no_ones_way(
        self, store: Store, drive: Drive
    ) -> None:
        """Whoever planted the ticket of half a login is nobody after a login by other code."""
        world = World(store, drive)
        world.ask(lambda session: session.begin_login("mallory"))
        planted = world.cookie
        world.clock.advance(601)
        world.ask(writes("alice"))

        assert (world.ask(reads).user, world.values()) == ("alice", {KEY: "alice"})
        assert world.ask(reads, planted).result == {}

    def test_clear_ends_a_locked_session_too(self, store: Store, drive: Drive) -> None:
        """A button that says so logs out whoever is locked out, and nobody can unlock it then."""
        world = World(store, drive, policy=Policy(lock=hours(8)))
        world.ask(logs_in("alice"))
        world.ask(reads)
        old = world.cookie
        world.clock.advance(minutes(31))
        assert world.ask(lambda session: session.locked_user).result == "alice"
        world.ask(clears)

        assert world.cookie == ""
        assert world.ask(lambda session: session.locked_user, old).result is None

    def test_same_user_by_other_code_is_no_login(self, store: Store, drive: Drive) -> None:
        """Writing down once more who is there already changes neither id nor ticket."""
        world = World(store, drive)
        world.ask(writes("42"))
        world.ask(reads)
        key = world.ask(lambda session: session.id).result
        world.ask(writes("42", lang="en"))

        assert world.ask(lambda session: session.id).result == key
        assert len(world.events_of(LoggedIn)) == 1

    def test_what_a_login_says_counts_alone(self, store: Store, drive: Drive) -> None:
        """Of a session that ``login`` made, or begins to, no value says whose it is."""
        for begins, user in (
            (logs_in("alice"), "alice"),
            (lambda session: session.begin_login("alice"), None),
        ):
            world = World(store, drive)
            world.ask(begins)
            world.ask(writes("mallory"))
            assert world.ask(reads).user == user
            world.ask(removes)
            assert world.ask(reads).user == user

        world.ask(lambda session: session.finish_login(factors=("totp",)))
        assert world.ask(reads).user == "alice"

    def test_function_says_who_is_logged_in(self, store: Store, drive: Drive) -> None:
        """It is asked before and after, and nobody is logged in where it finds nothing."""
        world = World(store, drive, principal=user_of)
        world.ask(puts(lang="en", account={"id": 42}))
        assert world.ask(reads).user == "42"
        old = world.cookie
        world.ask(puts(account={"id": 43}))
        assert (world.ask(reads).user, world.ask(reads, old).user) == ("43", None)
        assert world.values() == {"account": {"id": 43}}
        world.ask(lambda session: session.pop("account"))

        assert (world.ask(reads).user, world.cookie) == (None, "")

    def test_value_changed_in_place_names_nobody_else(self, store: Store, drive: Drive) -> None:
        """It goes with all that was another user's, so whoever it names now is not logged in."""
        world = World(store, drive, principal=user_of)
        world.ask(puts(account={"id": 42, "card": "4711"}))
        world.ask(lambda session: session["account"].update(id=43))

        assert (world.ask(reads).user, world.values()) == (None, {})

    def test_switched_off_no_value_is_a_login(self, store: Store, drive: Drive) -> None:
        """``principal=None``: whatever stands in the values, nobody is logged in by it."""
        world = World(store, drive, principal=None)
        world.ask(writes("42"))

        assert world.ask(reads).user is None
        assert world.values() == {KEY: "42"}

    @pytest.mark.parametrize("rival", [reads, rotates, puts(lang="en"), writes("42")])
    def test_rivals_of_a_login_by_other_code(self, store: Store, drive: Drive, rival: Act) -> None:
        """Wherever a request falls into it, the old ticket is nobody's, and no value is lost."""

        def world() -> World:
            new = World(store, drive)
            new.ask(puts(cart=["hat"]))
            return new

        for met in interleavings(
            world,
            lambda it: it.request(it.cookie, writes("42")),
            lambda it: it.request(it.cookie, rival),
            drive=drive,
        ):
            it, mine, theirs = met.world, met.a.get(), met.b.get()
            assert it.ask(reads, it.cookie).user is None, met.stop
            given = [reply.cookie for reply in (mine, theirs) if reply.set_cookie is not None]
            found = [it.ask(reads, cookie) for cookie in given]
            assert {seen.user for seen in found} <= {None, "42"}, met.stop
            held = [seen.result["cart"] for seen in found if seen.user is not None]
            assert held == [["hat"]] * max(1, len(held)), met.stop
