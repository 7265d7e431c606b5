"""Sessions that are served from copies: fresh for their own client, and over within a second."""

import pytest

from harness.near_servers import Pair
from sessile.core.binding import Binding, OnMismatch
from sessile.core.policy import OnReplay, Policy, minutes
from sessile.core.version_hint import SLOTS
from sessile.service.sessions import context_of
from sessile.stores.near import LARGEST
from sessile.testing.drive import Async, Blocking
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads, rotates, steps_up
from sessile.testing.world import ABROAD
from sessile.wire.feed.follower import MOST_LATE


def has_grant(session):
    return session.has_grant("pay")


@pytest.fixture(params=[Blocking, Async])
def drive(request):
    drive = request.param()
    yield drive
    drive.close()


@pytest.fixture
def pair(drive):
    """Two servers that have a copy each of a user's session."""
    return pair_of(drive)


def pair_of(drive, values=None, **more):
    pair = Pair(drive, **more)
    pair.ask(0, logs_in())
    pair.ask(0, puts(**(values or {"v": 1})))
    for server in (0, 1):
        pair.ask(server, reads)
    pair.listen()
    for server in (0, 1):
        pair.ask(server, reads)
    pair.before = pair.hits
    return pair


def served_from_copies(pair):
    """Tell how many requests were, since the pair was made."""
    return pair.hits - pair.before


@pytest.mark.parametrize("server", [0, 1])
def test_read_of_a_copy_asks_nothing_of_the_store(pair, server):
    """A client that has seen no more than the copy is served from it."""
    reply = pair.ask(server, reads)

    assert (reply.user, reply.result, reply.set_cookie) == ("alice", {"v": 1}, None)
    assert served_from_copies(pair) == 1


def test_each_request_is_counted_once(pair):
    """As a hit where a copy served it, and as a miss where the store was asked for it."""
    near = pair.stores[0]
    before = near.hits, near.misses
    pair.ask(0, reads)
    assert (near.hits, near.misses) == (before[0] + 1, before[1])
    pair.ask(1, puts(v=2))
    pair.ask(0, reads)  # which asks the store: the copy is older
    pair.worlds[0].ask(reads, "")  # who brings no ticket asks for nothing
    assert (near.hits, near.misses) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize("size", [5_000, LARGEST - 100])
def test_copy_is_opened_once(drive, size):
    """However large a record is kept, its values are not unsealed for each request."""
    pair = pair_of(drive, values={"v": "x" * size})
    sealer = context_of(pair.worlds[0].sessions).sealer
    record = pair.stores[0].peek(pair.worlds[0].session_id, 0)

    assert record is not None
    assert sealer.unseal(record) is sealer.unseal(record)


def test_reads_include_own_writes(pair):
    """Whatever a client did at one server it finds at the other, before that one heard of it."""
    for number in range(2, 6):
        pair.ask(number % 2, puts(v=number))
        assert pair.ask((number + 1) % 2, reads).result == {"v": number}


def test_rotation_elsewhere_is_no_theft(pair):
    """The new ticket opens it where the copy knows the old one alone, and the old in its grace."""
    old = pair.worlds[0].cookie
    pair.ask(0, rotates)

    assert pair.ask(1, reads).user == "alice"
    assert pair.worlds[1].ask(reads, old).user == "alice"
    assert pair.ask(0, reads).user == "alice"


def test_client_that_does_not_say_what_it_saw_is_asked_of_the_store(pair):
    """Without a hint nobody knows how old a copy may be."""
    for world in pair.worlds:
        world.hints.clear()
    pair.worlds[0].ask(puts(v=2))

    assert pair.worlds[1].ask(reads).result == {"v": 2}
    assert served_from_copies(pair) == 0


def test_hint_of_a_version_to_come_has_the_store_asked(pair):
    """Who claims to have seen more than there is costs themselves a trip."""
    start = pair.worlds[0].session_id[:8]
    pair.worlds[0].hints = dict.fromkeys(pair.worlds[0].hints, f"{start}.{'9' * 15}")

    assert pair.worlds[0].ask(reads).user == "alice"
    assert served_from_copies(pair) == 0


def test_hints_of_a_former_session_say_nothing(pair):
    """Whoever was ended from elsewhere, and logs in anew, is served from copies like anybody."""
    for number in range(9):
        pair.ask(0, puts(v=number))
    pair.worlds[0].sessions.sync.end_all("alice")
    pair.listen()
    pair.ask(0, logs_in())
    for _ in range(3):
        pair.ask(0, reads)
        pair.listen()
    before = pair.hits
    pair.ask(0, reads)

    assert pair.hits == before + 1


def test_hint_behind_a_comma_does_not_count(pair):
    """WSGI servers join fields so; a version that stands there may be the newest."""
    pair.ask(0, puts(v=2))
    before = pair.hits
    name, value = next(iter(pair.worlds[0].hints.items()))
    pair.worlds[0].hints = {name: f"{value}; foo=1,{name}={value}"}

    assert pair.worlds[0].ask(reads).result == {"v": 2}
    assert pair.hits == before


@pytest.mark.parametrize("hint", ["x", "-1", "1" * 40, "", "9" * 15, "3 4", "²"])
def test_hint_that_is_none_has_the_store_asked(pair, hint):
    """Whatever a client makes up costs it a trip, and harms nobody."""
    pair.worlds[0].hints = dict.fromkeys(pair.worlds[0].hints, hint)

    assert pair.worlds[0].ask(reads).user == "alice"
    assert served_from_copies(pair) == 0


def test_end_at_a_server_is_final_there(pair):
    """The process that ended a session serves it to nobody from then on."""
    cookie = pair.worlds[0].cookie
    pair.worlds[0].sessions.sync.end(pair.worlds[0].session_id)

    assert pair.worlds[0].ask(reads, cookie).user is None


@pytest.mark.parametrize("end", ["logout", "end", "end_all", "end_everybody"])
def test_end_elsewhere_is_final_once_it_was_heard(pair, end):
    """Whoever is served meanwhile is, for as long as a heartbeat may be late, and no longer."""
    here, there = pair.worlds
    cookie, sessions = here.cookie, here.sessions.sync
    acts = {
        "logout": lambda: here.ask(logs_out),
        "end": lambda: sessions.end(here.session_id),
        "end_all": lambda: sessions.end_all("alice"),
        "end_everybody": sessions.end_everybody,
    }
    acts[end]()
    assert there.ask(reads, cookie).user == "alice"  # this is what a near cache costs

    pair.stores[1].listen()
    assert there.ask(reads, cookie).user is None


def test_feed_that_is_late_is_not_trusted(pair):
    """Ended stays ended: without a heartbeat a copy is good for a second and no longer."""
    here, there = pair.worlds
    cookie = here.cookie
    here.sessions.sync.end_all("alice")
    pair.stores[1].timer.advance(MOST_LATE)
    assert there.ask(reads, cookie).user == "alice"

    pair.stores[1].timer.advance(0.001)
    assert there.ask(reads, cookie).user is None


def test_copies_of_before_a_broken_feed_are_not_trusted(pair):
    """What changed while nobody listened is not known, so nothing of before is good."""
    here, there = pair.worlds
    pair.stores[1].follower.disconnect()
    here.sessions.sync.end_all("alice")
    pair.stores[1].listen()
    pair.stores[1].listen()

    assert there.ask(reads, here.cookie).user is None


def test_write_under_an_old_copy_is_merged(pair):
    """Who comes without having seen a rival's change keeps it, and their own."""
    pair.worlds[0].ask(puts(a=1))
    pair.worlds[1].ask(puts(b=2))

    assert pair.ask(0, reads).result == {"v": 1, "a": 1, "b": 2}


def test_copy_decides_against_nobody(drive):
    """Where a copy would lock a session or turn a client away, the store is asked first."""
    policy = Policy(binding=Binding(on_mismatch=OnMismatch.STEP_UP))
    pair = pair_of(drive, policy=policy)
    there = pair.worlds[1]

    assert there.ask(reads, peer=ABROAD).user is None
    assert there.ask(reads).user == "alice"


def test_locked_elsewhere_is_locked_once_it_was_heard(drive):
    """A replay that another server has met locks the session here as well."""
    pair = pair_of(drive, policy=Policy(on_replay=OnReplay.LOCK, stale=None))
    old = pair.worlds[0].cookie
    pair.ask(0, rotates)
    pair.ask(0, reads)
    pair.clock.advance(minutes(2))
    pair.ask(1, reads)
    pair.worlds[0].ask(reads, old, peer=ABROAD)
    pair.listen()

    assert pair.ask(1, reads).user is None


def test_step_up_elsewhere_is_there_at_once(pair):
    """The session that goes on is another one, of which there is no copy."""
    pair.ask(0, steps_up("pay"))

    assert pair.ask(1, has_grant).result


def test_grant_that_was_spent_elsewhere_is_gone(pair):
    """Who spent a grant at one server is shown none at the other."""
    pair.ask(0, steps_up("pay"))
    pair.ask(1, has_grant)
    pair.listen()
    pair.ask(1, has_grant)
    pair.ask(0, lambda session: pair.worlds[0].sessions.sync.spend(session, "pay"))

    assert not pair.ask(1, has_grant).result


def test_reader_is_sent_no_cookie(pair):
    """Clocks that a reader moves are not what it has to know."""
    pair.clock.advance(minutes(5))

    reply = pair.ask(0, reads)
    assert reply.set_cookie is None
    hints = {**pair.worlds[0].hints}
    pair.ask(1, reads)
    assert pair.worlds[1].hints == hints


def test_logout_takes_the_hint_back(pair):
    """A browser that is nobody has nothing to say of a version."""
    assert pair.worlds[0].hints
    pair.ask(0, logs_out)

    assert pair.worlds[0].hints == {}


def test_answers_in_any_order_tell_the_newest_version(pair):
    """Of changes at once the last answer to arrive is often not that of the last change."""
    before = {**pair.worlds[0].hints}
    given = []
    for number in range(SLOTS):
        pair.worlds[0].hints = {**before}
        pair.worlds[0].ask(puts(v=number))
        given.append({n: v for n, v in pair.worlds[0].hints.items() if before.get(n) != v})
    for hints in reversed(given):
        pair.worlds[1].hints |= hints

    assert pair.worlds[1].ask(reads).result == {"v": SLOTS - 1}
