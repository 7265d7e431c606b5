"""The judge of histories: a sound system is never blamed, and every fault of one is found."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.testing.effort import effort
from sessile.testing.history import Fate, Operation, Sight, Verb, excess, faults

WRITES = (Verb.APPEND, Verb.ADD, Verb.PUT)
HISTORIES = 30
SEEDS = st.integers(0, 2**32)


class System:
    """Sessions of many clients, as they should be; an answer may be lost, done or not.

    Args:
        seed: of all chance.
        limit: of the sessions of a user.
    """

    def __init__(self, seed, limit=None):
        self.chance = random.Random(seed)
        self.limit = limit
        self.now = 0.0
        self.drawn = 0
        self.operations = []
        self.sessions = {}  # by client
        self.logins = []  # clients that are logged in, the oldest first
        self.unsettled = set()

    def run(self, steps=60, clients=3):
        """Let clients of one user do as they like; return the history."""
        for _ in range(steps):
            client = f"c{self.chance.randrange(clients)}"
            if client in self.unsettled:
                self.ask(client, Verb.LOGIN)
            else:
                self.ask(client, self.chance.choice([*WRITES, *WRITES, *Verb]))
        return self.operations

    def draw(self):
        self.drawn += 1
        return str(self.drawn)

    def ask(self, client, verb):
        """Make one operation, and write it down."""
        fate = self.chance.choices([Fate.OK, Fate.UNKNOWN], [5, 1])[0]
        known = self.sessions.get(client)
        life = known.life if known else f"life {self.draw()}"
        given_ = {
            Verb.APPEND: self.draw(),
            Verb.PUT: f"k{self.chance.randrange(2)}={self.draw()}",
            Verb.LOGIN: "alice",
            Verb.END_ALL: "alice",
        }.get(verb, "")
        self.now += 1
        began, ended = self.now, self.now + self.chance.random() / 2
        if fate is Fate.OK or self.chance.random() < 0.5:
            self.carry_out(client, verb, life, given_)
        if fate is Fate.OK:
            self.unsettled.discard(client)
        elif verb in {Verb.LOGIN, Verb.STEP_UP, Verb.LOGOUT}:
            self.unsettled.add(client)
        sight = self.sessions.get(client, Sight())
        shows = fate is Fate.OK and verb not in {Verb.LOGOUT, Verb.END_ALL}
        client = "operator" if verb is Verb.END_ALL else client
        self.operations.append(
            Operation(client, verb, began, ended, fate, life, given_, sight if shows else None)
        )

    def carry_out(self, client, verb, life, given_):
        seen = self.sessions.get(client)
        if verb in {Verb.LOGOUT, Verb.END_ALL}:
            for one in [client] if verb is Verb.LOGOUT else list(self.logins):
                self.end(one)
        elif seen is not None or verb in {*WRITES, Verb.LOGIN}:
            self.sessions[client] = self.change(client, verb, seen or Sight(life), given_)

    def change(self, client, verb, seen, given_):
        """Return a session after a change; a login ends the oldest over the limit."""
        match verb:
            case Verb.APPEND:
                seen = replace(seen, items=(*seen.items, given_))
            case Verb.ADD:
                seen = replace(seen, count=seen.count + 1)
            case Verb.PUT:
                seen = replace(seen, values={**seen.values, **dict([given_.split("=")])})
            case Verb.LOGIN:
                seen = replace(seen, user=given_)
                self.logins = [one for one in self.logins if one != client] + [client]
                while self.limit and len(self.logins) > self.limit:
                    self.sessions.pop(self.logins.pop(0), None)
        return seen

    def end(self, client):
        self.sessions.pop(client, None)
        self.logins = [one for one in self.logins if one != client]


@effort(300, 20_000)
@given(SEEDS, st.sampled_from([None, 1, 2]))
def test_sound_system_is_not_blamed(seed, limit):
    """Whatever got lost on the way, answers that are right are found right."""
    assert faults(System(seed, limit).run(), limit=limit) == []


class Forgetful(System):
    """Loses the oldest item now and then."""

    def carry_out(self, client, verb, life, given_):
        super().carry_out(client, verb, life, given_)
        seen = self.sessions.get(client)
        if verb is Verb.READ and seen and seen.items and self.chance.random() < 0.5:
            self.sessions[client] = replace(seen, items=seen.items[1:])


class Doubling(System):
    """Appends twice now and then."""

    def carry_out(self, client, verb, life, given_):
        for _ in range(1 + (verb is Verb.APPEND and self.chance.random() < 0.3)):
            super().carry_out(client, verb, life, given_)


class Miscounting(System):
    """Counts some twice and others not."""

    def carry_out(self, client, verb, life, given_):
        for _ in range(self.chance.randrange(3) if verb is Verb.ADD else 1):
            super().carry_out(client, verb, life, given_)


class Backward(System):
    """Takes the last change of a key back now and then."""

    before = None

    def carry_out(self, client, verb, life, given_):
        seen = self.sessions.get(client)
        if verb is Verb.PUT and seen:
            self.before = (seen.life, seen.values)
        super().carry_out(client, verb, life, given_)
        if verb is Verb.READ and seen and self.before and self.before[0] == seen.life:
            self.sessions[client] = replace(seen, values=self.before[1])


class Undead(System):
    """Acknowledges ends and leaves the session."""

    def end(self, client):
        pass


class Generous(System):
    """Knows no limit."""

    def __init__(self, seed, limit):
        super().__init__(seed, None)


class Confusing(System):
    """Hands one client the session of another."""

    def carry_out(self, client, verb, life, given_):
        super().carry_out(client, verb, life, given_)
        others = sorted(self.sessions.keys() - {client})
        if verb is Verb.READ and others and client in self.sessions:
            self.sessions[client] = self.sessions[self.chance.choice(others)]


class Amnesiac(System):
    """Begins anew now and then, with nothing."""

    def carry_out(self, client, verb, life, given_):
        if verb in WRITES and self.chance.random() < 0.2:
            self.end(client)
            life = f"life {self.draw()}"
        super().carry_out(client, verb, life, given_)


BROKEN = {
    Forgetful: "lost",
    Doubling: "doubled",
    Miscounting: "miscounted",
    Backward: "went back",
    Undead: "lives on",
    Generous: "lives on",
    Confusing: "lost",
    Amnesiac: "lost",
}


@pytest.mark.parametrize("system", BROKEN, ids=lambda system: system.__name__)
def test_broken_system_is_caught(system):
    """A few histories show each fault for what it is."""
    limit = 1 if system is Generous else None
    found = [
        fault
        for seed in range(HISTORIES)
        for fault in faults(system(seed, limit).run(), limit=limit)
    ]

    assert BROKEN[system] in {str(fault).partition(":")[0] for fault in found}


def did(verb, at, fate=Fate.OK, *, client="c", life="l", given_="", lasts=0.5, **seen):
    """One operation, of half a second."""
    sight = Sight(life, **seen) if fate is Fate.OK and verb is not Verb.LOGOUT else None
    return Operation(client, verb, at, at + lasts, fate, life, given_, sight)


def test_unknown_append_may_be_there_or_not():
    """Nobody is blamed for either, but for both: first there and then not is for the sure."""
    lost = did(Verb.APPEND, 1, Fate.UNKNOWN, given_="a")

    assert faults([lost, did(Verb.READ, 2)]) == []
    assert faults([lost, did(Verb.READ, 2, items=("a",))]) == []
    assert faults([lost, did(Verb.READ, 2, items=("a", "a"))]) != []


def test_refused_append_may_not_be_there():
    """What was definitely not carried out is seen by nobody."""
    refused = did(Verb.APPEND, 1, Fate.REFUSED, given_="a")

    assert faults([refused, did(Verb.READ, 2)]) == []
    assert faults([refused, did(Verb.READ, 2, items=("a",))]) != []


def test_read_that_began_before_the_acknowledgement_may_miss_it():
    """Only what was acknowledged before has to be seen."""
    slow = did(Verb.APPEND, 1, given_="a", lasts=2, items=("a",))

    assert faults([slow, did(Verb.READ, 2)]) == []
    assert faults([slow, did(Verb.READ, 3.5)]) != []


def test_write_beside_a_login_is_not_demanded():
    """It may have gone with the session that was replaced; after it it may not."""
    login = did(Verb.LOGIN, 1, lasts=1.0, given_="alice", user="alice")
    beside = did(Verb.APPEND, 1.2, given_="a", items=("a",))
    after = did(Verb.APPEND, 3, given_="b", items=("b",), user="alice")

    assert faults([login, beside, did(Verb.READ, 5, user="alice")]) == []
    assert len(faults([login, beside, after, did(Verb.READ, 5, user="alice")])) == 1


def test_unknown_login_is_under_way_until_the_next():
    """Nothing is demanded of what was set before the client knew where it stood."""
    lost = did(Verb.LOGIN, 1, Fate.UNKNOWN, given_="alice")
    between = did(Verb.APPEND, 2, given_="a", items=("a",))
    again = did(Verb.LOGIN, 3, given_="alice", user="alice")

    assert faults([lost, between, again, did(Verb.READ, 4, user="alice")]) == []


def test_session_goes_on_over_a_login_that_was_lost():
    """Who logs in once more, since nobody told them that they had, has all that they had."""
    before, after = did(Verb.READ, 0), did(Verb.READ, 4, life="m", user="alice")
    lost = did(Verb.LOGIN, 1, Fate.UNKNOWN, given_="alice")
    again = did(Verb.LOGIN, 2, given_="alice", user="alice", life="m")
    (found,) = faults([before, lost, again, after])

    assert found.about == (before, after)
    assert faults([before, lost, again, did(Verb.READ, 4, user="alice")]) == []


def test_login_that_was_given_up_may_come_last():
    """Under a limit it may end the one that was made in its place; without one it ends nothing."""
    history = [
        did(Verb.LOGIN, 1, Fate.UNKNOWN, given_="alice"),
        did(Verb.LOGIN, 2, given_="alice", user="alice"),
        did(Verb.READ, 3, user="alice"),
        did(Verb.READ, 4, life=""),
    ]

    assert faults(history, limit=1) == []
    assert len(faults(history)) == 1


def test_first_write_that_was_given_up_may_name_the_life():
    """Carried out beside the second one, it names the session that this has begun."""
    lost = replace(did(Verb.APPEND, 1, Fate.UNKNOWN, given_="a", life=""), fresh="late")
    begun = replace(did(Verb.APPEND, 2, given_="b", items=("b",)), life="")
    renamed = did(Verb.READ, 3, life="late", items=("a", "b"))

    assert faults([lost, begun, renamed]) == []
    assert faults([replace(lost, life="another"), begun, renamed]) != []


def test_what_is_written_beside_it_may_be_in_the_life_that_it_names():
    """An answer names the life that it began; the one before it may have the last word."""
    lost = replace(did(Verb.PUT, 1, Fate.UNKNOWN, given_="k=a", life=""), fresh="late")
    begun = replace(did(Verb.PUT, 2, given_="k=b", values={"k": "b"}), life="")
    renamed = did(Verb.READ, 3, life="late", values={"k": "b"})
    logout = did(Verb.LOGOUT, 1.7, lasts=0.1)

    assert faults([lost, begun, renamed]) == []
    assert faults([lost, logout, begun, renamed]) != []


@pytest.mark.parametrize("verb", [Verb.PUT, Verb.ADD])
def test_second_write_that_was_given_up_may_be_in_the_life_of_the_first(verb):
    """A client that has no answer yet does not know what it is in."""
    first = replace(did(Verb.APPEND, 1, Fate.UNKNOWN, given_="a", life=""), fresh="late")
    second = replace(did(verb, 2, Fate.UNKNOWN, given_="k=v", life=""), fresh="later")
    seen = {Verb.PUT: {"values": {"k": "v"}}, Verb.ADD: {"count": 1}}[verb]
    both = did(Verb.READ, 3, life="late", items=("a",), **seen)

    assert faults([first, second, both]) == []
    assert faults([first, replace(second, client="d"), both]) != []


def test_late_answer_of_an_end_is_no_fault():
    """A request that was under way when the logout was acknowledged may have seen the session."""
    logout = did(Verb.LOGOUT, 2)

    assert faults([logout, did(Verb.READ, 2.2)]) == []
    assert faults([logout, did(Verb.READ, 3)]) != []


def test_what_has_ended_may_be_seen_for_the_lag_that_was_said():
    """Behind a near cache, and no longer; nor is anything else forgiven for it."""
    write = did(Verb.APPEND, 0, given_="a", items=("a",))
    logout = did(Verb.LOGOUT, 2)
    late, later = did(Verb.READ, 3, items=("a",)), did(Verb.READ, 4.6, items=("a",))

    assert faults([write, logout, late], lag=2.0) == []
    assert faults([write, logout, late, later], lag=2.0) != []
    assert faults([write, did(Verb.READ, 1.2)], lag=2.0) != []


def test_what_is_set_beside_an_end_is_dropped_also_where_it_is_seen_on():
    """An old copy shows what was before, without what a request was told that it had set."""
    writes = [did(Verb.APPEND, at, given_=f"{at}", items=("0",)) for at in (0,)]
    beside = did(Verb.APPEND, 2.1, given_="b", items=("0", "b"))
    history = [*writes, did(Verb.LOGOUT, 2), beside, did(Verb.READ, 3, items=("0",))]

    assert faults(history, lag=2.0) == []
    assert faults(history) != []


def test_number_of_sessions_in_the_end():
    """As many as the limit, or one for each client and each login nobody knows of."""
    logins = [
        did(Verb.LOGIN, 1, given_="alice", user="alice"),
        did(Verb.LOGIN, 2, Fate.UNKNOWN, client="d", given_="alice"),
    ]

    assert excess(logins, {"alice": 3}) == []
    assert len(excess(logins, {"alice": 4})) == 1
    assert len(excess(logins, {"alice": 2}, limit=1)) == 1
    assert excess(logins, {"alice": 1}, limit=1) == []
