"""What is told around a fault: enough to read its cause from, and no secret."""

from sessile.testing.history import Fate, Operation, Sight, Verb, faults
from sessile.testing.surroundings import surroundings

NOTHING = " with 0 items, count 0, keys []"


def did(verb, at, client="c", life="l", *, given="", fate=Fate.OK, user=None):
    """One operation, of half a second."""
    sight = Sight(life, user) if fate is Fate.OK and verb is not Verb.END_ALL else None
    return Operation(
        client, verb, at, at + 0.5, fate, life, given, sight, ticket="id", got="it" if user else ""
    )


HISTORY = [
    did(Verb.READ, 3, life="m"),
    did(Verb.READ, 0),
    did(Verb.LOGIN, 1, given="alice", fate=Fate.UNKNOWN),
    did(Verb.LOGIN, 2, given="alice", user="alice"),
    did(Verb.READ, 2, client="d", life="x"),
    did(Verb.END_ALL, 5, client="operator", given="alice"),
    did(Verb.LOGIN, 2.2, client="e", life="y", given="alice", user="alice"),
    did(Verb.READ, 4, life="m"),
]


def fault_in(history):
    """Return the one fault of a client that has lost its session."""
    (fault,) = (each for each in faults(history) if "c: read, 3" in str(each))
    return fault


def test_what_its_client_did_is_told_in_order():
    """From a little before what it is about to the last of it, with those who end sessions."""
    history = [each for each in HISTORY if each.fate is Fate.OK]
    told = surroundings(fault_in(history), history)

    assert told == [
        "> c: read, 0.000 to 0.500, acknowledged; showed id; in l, saw l of None" + NOTHING,
        "  c: login alice, 2.000 to 2.500, acknowledged; showed id, got it; in l, saw l of alice"
        + NOTHING,
        "  e: login alice, 2.200 to 2.700, acknowledged; showed id, got it; in y, saw y of alice"
        + NOTHING,
        "> c: read, 3.000 to 3.500, acknowledged; showed id; in m, saw m of None" + NOTHING,
    ]


def test_long_story_is_told_from_both_ends():
    """However long it takes until a loss is seen, so many lines tell of it."""
    between = [did(Verb.READ, 0.5 + n / 1000, given=str(n)) for n in range(1000)]
    history = [each for each in HISTORY if each.fate is Fate.OK] + between
    fault = fault_in(history)
    told = surroundings(fault, history, most=6)

    assert len(told) == 7
    assert told[3].startswith("  ... ")
    assert told[0].startswith("  c: read")
    assert told[-1].startswith("> c: read, 3.000")
