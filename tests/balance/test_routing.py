"""Who belongs where is decided without I/O."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sessile.balance.health import State
from sessile.balance.routing import Affinity, Router, Visitor
from sessile.core.rendezvous import rendezvous
from sessile.core.route import route_token

NAMES = ["a", "b", "c"]
UP, DRAIN, DOWN = State.UP, State.DRAIN, State.DOWN
ALL_UP = dict.fromkeys(NAMES, UP)
KEY = b"k" * 32
CROWD = [f"10.0.{i // 250}.{i % 250}" for i in range(1000)]


def router(affinity):
    return Router(NAMES, affinity, key=KEY)


def names(router, visitors, states):
    return [router.choose(visitor, states).name for visitor in visitors]


def test_none_takes_turns():
    """Without affinity every request goes to the next server."""
    one = Visitor("10.0.0.1")

    assert names(router(Affinity.NONE), [one] * 6, ALL_UP) == ["a", "b", "c"] * 2


def test_turns_skip_what_is_not_up():
    """Neither a draining server nor a dead one is given anybody new."""
    states = {"a": UP, "b": DRAIN, "c": DOWN}

    assert names(router(Affinity.NONE), [Visitor("10.0.0.1")] * 3, states) == ["a"] * 3


def test_turns_stay_even_around_a_hole():
    """A dead server's turns do not all fall to its neighbour."""
    four = Router([*NAMES, "d"], Affinity.NONE, key=KEY)
    states = {**ALL_UP, "d": UP, "b": DOWN}

    assert Counter(names(four, [Visitor("x")] * 9, states)) == {"a": 3, "c": 3, "d": 3}


def test_nobody_up_is_no_choice():
    """When no server may take a client there is no choice, whatever the affinity."""
    for affinity in Affinity:
        assert router(affinity).choose(Visitor("x"), dict.fromkeys(NAMES, DOWN)) is None
        assert router(affinity).choose(Visitor("x"), dict.fromkeys(NAMES, DRAIN)) is None


def test_cookie_brings_back():
    """A client that shows its token goes to its server and is given no other token."""
    routes = router(Affinity.COOKIE)
    first = routes.choose(Visitor("x"), ALL_UP)

    again = [routes.choose(Visitor("y", (first.token,)), ALL_UP) for _ in range(5)]

    assert {choice.name for choice in again} == {first.name}
    assert {choice.token for choice in again} == {None}


def test_new_clients_are_spread():
    """Clients without a token take turns."""
    assert names(router(Affinity.COOKIE), [Visitor("x")] * 3, ALL_UP) == NAMES


def test_new_clients_go_where_there_is_least_to_do():
    """Those who will stay; a request that goes to each in turn is no load for long."""
    busy = {"a": 2, "b": 0, "c": 1}
    for affinity, expected in ((Affinity.COOKIE, ["b"] * 3), (Affinity.NONE, NAMES)):
        routes = router(affinity)
        assert [routes.choose(Visitor("x"), ALL_UP, busy).name for _ in NAMES] == expected
    assert router(Affinity.COOKIE).choose(Visitor("x"), {**ALL_UP, "b": DRAIN}, busy).name == "c"


def test_route_of_a_server_is_obeyed_and_never_handed_out():
    """The servers hand it out, with their sessions."""
    routes = router(Affinity.ROUTE)
    bound = Visitor("x", (route_token("c", KEY),))

    assert routes.choose(bound, ALL_UP).name == "c"
    assert routes.choose(bound, {**ALL_UP, "c": DRAIN}).name == "c"
    moved, new = routes.choose(bound, {**ALL_UP, "c": DOWN}), routes.choose(Visitor("x"), ALL_UP)
    assert (moved.name != "c", moved.token, new.token) == (True, None, None)


def test_draining_keeps_the_bound():
    """A draining server keeps the clients that have its token."""
    token = route_token("b", KEY)
    states = {**ALL_UP, "b": DRAIN}

    assert router(Affinity.COOKIE).choose(Visitor("x", (token,)), states).name == "b"


def test_the_dead_hand_over():
    """The client of a dead server is moved, and told so by a new token."""
    token = route_token("b", KEY)

    moved = router(Affinity.COOKIE).choose(Visitor("x", (token,)), {**ALL_UP, "b": DOWN})

    assert moved.name != "b"
    assert moved.token == route_token(moved.name, KEY)


@given(st.lists(st.text(), max_size=3).map(tuple))
def test_garbage_is_a_new_client(tokens):
    """A token we did not issue is as good as none, a server's own name included."""
    choice = router(Affinity.COOKIE).choose(Visitor("x", ("a", *tokens)), ALL_UP)

    assert choice.token == route_token(choice.name, KEY)


def test_one_good_token_is_enough():
    """Among several cookies of the name, the one we know decides."""
    visitor = Visitor("x", ("nonsense", route_token("c", KEY)))

    assert router(Affinity.COOKIE).choose(visitor, ALL_UP).name == "c"


def test_tokens_say_nothing():
    """A token differs by server and by key, and holds no part of the name."""
    tokens = {route_token(name, key) for name in ("alpha", "beta") for key in (KEY, b"x" * 32)}

    assert len(tokens) == 4
    assert not any("alpha" in token or "beta" in token for token in tokens)


def test_addresses_are_spread_evenly():
    """Every server is home to its share of addresses."""
    homes = Counter(rendezvous(address, NAMES) for address in CROWD)

    assert all(250 < homes[name] < 420 for name in NAMES)


def test_a_death_moves_only_its_own():
    """When a server dies, the clients of the others stay; its own are spread over the others."""
    routes = router(Affinity.ADDRESS)
    crowd = [Visitor(address) for address in CROWD]
    before = names(routes, crowd, ALL_UP)

    after = names(routes, crowd, {**ALL_UP, "b": DOWN})

    moved = Counter(new for old, new in zip(before, after, strict=True) if old != new)
    assert all(new == old for old, new in zip(before, after, strict=True) if old != "b")
    assert moved["a"] > 100 < moved["c"]
    assert names(routes, crowd, ALL_UP) == before


def test_a_draining_address_stays_and_a_new_one_does_not_come():
    """Under address affinity a draining server keeps those it has seen and gets no others."""
    routes = router(Affinity.ADDRESS)
    homed = [Visitor(a) for a in CROWD if rendezvous(a, NAMES) == "b"]
    known, stranger = homed[0], homed[1]
    routes.choose(known, ALL_UP)

    draining = {**ALL_UP, "b": DRAIN}

    assert routes.choose(known, draining).name == "b"
    assert routes.choose(stranger, draining).name != "b"
    assert routes.choose(known, {**ALL_UP, "b": DOWN}).name != "b"


def test_addresses_are_remembered_up_to_a_bound():
    """A crowd of addresses cannot fill the memory; the ones seen longest ago are forgotten."""
    routes = Router(NAMES, Affinity.ADDRESS, key=KEY, remembered=10)
    crowd = [Visitor(address) for address in CROWD]

    names(routes, [crowd[0], *crowd[1:10], crowd[0], crowd[10]], ALL_UP)

    assert list(routes._by_address) == [*CROWD[2:10], CROWD[0], CROWD[10]]
