"""``Outage.READ``: while the store fails readers go on with what was read before, for a while."""

import pytest

from harness.near_servers import Pair
from sessile import Outage, Policy, Sessions, minutes
from sessile.errors import ConfigError, StoreUnavailable
from sessile.service.events import StoreFailing
from sessile.service.housekeeping import PAUSE
from sessile.testing.drive import Async, Blocking
from sessile.testing.promises.stories import logs_in, logs_out, puts, reads, rotates
from sessile.testing.step import Stepped
from sessile.wire.pause import pause

READ = Policy(outage=Outage.READ, outage_reads=minutes(2))
ACTS = ("read", "create", "commit", "replace", "delete")


@pytest.fixture(params=[Blocking, Async])
def drive(request):
    drive = request.param()
    yield drive
    drive.close()


class Outages:
    """Two servers on one store, which can fail for both, and what it was asked meanwhile."""

    def __init__(self, drive, monkeypatch, policy):
        self.pair = Pair(drive, policy=policy)
        self.pair.ask(0, logs_in())
        self.pair.ask(0, puts(v=1))
        for _ in range(2):
            self.pair.ask(0, reads)
            self.pair.listen()
        self.world = self.pair.worlds[0]
        self.asked = []
        self.fails = self.ping_fails = False
        for name in ACTS:
            act = getattr(self.pair.store, name)
            monkeypatch.setattr(self.pair.store, name, self.guard(name, act))
        monkeypatch.setattr(self.pair.store, "ping", self.ping)

    def guard(self, name, act):
        async def perform(*words, **more):
            self.asked.append(name)
            if self.fails:
                await pause()  # where a flow that is stepped stands
                raise StoreUnavailable("memory://", "out of order")
            return await act(*words, **more)

        return perform

    async def ping(self):
        if self.ping_fails:
            raise StoreUnavailable("memory://", "out of order")

    def begin(self):
        """Let the store fail, and the feeds break."""
        self.fails = True
        for one in self.pair.stores:
            one.follower.disconnect()

    def advance(self, seconds):
        for clock in (self.pair.clock, *(one.timer for one in self.pair.stores)):
            clock.advance(seconds)


@pytest.fixture
def outages(drive, monkeypatch):
    return Outages(drive, monkeypatch, READ)


def test_readers_go_on_and_writers_are_refused(outages):
    """A page that changes nothing is served as before; whatever would be stored is a 503."""
    outages.begin()
    reply = outages.world.ask(reads)
    assert (reply.user, reply.result, reply.set_cookie) == ("alice", {"v": 1}, None)
    for act in (puts(v=2), logs_out, rotates, logs_in("bob")):
        with pytest.raises(StoreUnavailable):
            outages.world.ask(act)
    assert outages.world.ask(reads).result == {"v": 1}


def test_reads_of_an_outage_are_hits(outages):
    """No counter goes back, and who is refused is neither."""
    near = outages.pair.stores[0]
    before = near.hits, near.misses
    outages.begin()
    for _ in range(2):
        outages.world.ask(reads)
    with pytest.raises(StoreUnavailable):
        outages.world.ask(puts(v=2))

    assert (near.hits, near.misses) == (before[0] + 3, before[1])


def test_default_is_to_fail(drive, monkeypatch):
    """Who did not ask for it answers 503 to everybody."""
    outages = Outages(drive, monkeypatch, None)
    outages.begin()

    with pytest.raises(StoreUnavailable):
        outages.world.ask(reads)


def test_readers_go_on_for_the_time_that_was_said(outages):
    """Counted from when the store was last heard of."""
    outages.begin()
    outages.advance(READ.outage_reads)
    assert outages.world.ask(reads).user == "alice"
    outages.advance(0.01)
    with pytest.raises(StoreUnavailable):
        outages.world.ask(reads)


def test_frozen_store_holds_one_reader_up_and_not_all(outages):
    """After one has found that it fails nobody asks it for some seconds; then one does."""
    outages.begin()
    for _ in range(5):
        outages.world.ask(reads)
    assert outages.asked == ["read"]
    outages.advance(PAUSE)
    for _ in range(5):
        outages.world.ask(reads)
    assert outages.asked == ["read"] * 2
    assert len(outages.world.events_of(StoreFailing)) == 2


def test_one_looks_whether_the_store_is_back_and_nobody_waits_with_it(outages):
    """While the one stands at a frozen store, all others are served from their copies at once."""
    outages.begin()
    outages.world.ask(reads)
    outages.advance(PAUSE)
    world = outages.world
    looking = Stepped(world.request(world.cookie, reads), world.drive)
    for _ in range(5):
        assert world.ask(reads).user == "alice"
    assert outages.asked == ["read"] * 2

    assert looking.finish().get().user == "alice"


def test_who_finds_the_store_back_finds_it_for_all(outages):
    """From that moment on everybody asks it again, though the feed is still silent."""
    outages.begin()
    outages.world.ask(reads)
    outages.fails = False
    outages.advance(PAUSE)
    for _ in range(3):
        outages.world.ask(reads)

    assert outages.asked == ["read"] * 4


def know(outages, *, fails):
    """Have the follower know by its probe that the store fails, or that it does not."""
    probe = outages.pair.stores[0].follower.probe
    outages.ping_fails = fails
    probe.ask()


def test_nobody_waits_once_the_follower_knows(outages):
    """A store that is found to fail by a probe is asked by no reader, however long that lasts."""
    outages.begin()
    for _ in range(3):
        know(outages, fails=True)
        assert outages.world.ask(reads).user == "alice"
        outages.advance(PAUSE)
    assert outages.asked == []
    assert len(outages.world.events_of(StoreFailing)) == 3
    know(outages, fails=True)
    with pytest.raises(StoreUnavailable):
        outages.world.ask(puts(v=2))


def test_store_that_answers_a_probe_is_asked(outages):
    """Where the feed alone is broken, nobody is served an older copy; and no pause is left."""
    outages.begin()
    know(outages, fails=True)
    outages.world.ask(reads)
    outages.fails = False
    know(outages, fails=False)
    outages.world.ask(reads)

    assert outages.asked == ["read"]


def test_what_is_due_waits(outages):
    """Neither clocks nor the ticket are moved: the store would not take it."""
    outages.begin()
    outages.advance(minutes(1.9))
    asked = len(outages.asked)
    assert outages.world.ask(reads).set_cookie is None
    assert set(outages.asked[asked:]) <= {"read"}


def test_nobody_misses_their_own_change(outages):
    """Who has changed something elsewhere is refused, and not shown what was before."""
    outages.pair.ask(1, puts(v=2))
    outages.begin()

    with pytest.raises(StoreUnavailable):
        outages.pair.worlds[0].ask(reads)


def test_who_was_never_here_is_refused(outages):
    """Of a session that this process has not read it knows nothing; an outage makes no visitors."""
    outages.begin()
    with pytest.raises(StoreUnavailable):
        outages.pair.worlds[1].ask(reads)
    assert outages.pair.worlds[1].ask(reads, "").user is None


def test_store_that_works_again_is_asked(outages):
    """What was ended meanwhile, by a server that reached the store, is over."""
    outages.begin()
    assert outages.world.ask(reads).user == "alice"
    outages.fails = False
    cookie = outages.world.cookie
    outages.pair.worlds[1].sessions.sync.end_all("alice")
    for _ in range(2):
        outages.pair.listen()

    assert outages.world.ask(reads, cookie).user is None


def test_write_that_reaches_the_store_is_merged(outages):
    """Who was opened from a copy, and finds the store back at the end, loses nobody's change."""
    outages.begin()
    outages.world.ask(reads)
    outages.fails = False
    outages.pair.worlds[1].ask(puts(w=1), outages.world.cookie)
    outages.world.ask(puts(v=2))

    assert outages.pair.ask(1, reads).result == {"v": 2, "w": 1}


def test_store_that_can_be_read_is_asked(outages, monkeypatch):
    """Where it takes no writes, and its feed is silent, nobody is served an older copy."""
    outages.pair.stores[0].follower.disconnect()

    async def refuse(change):
        raise StoreUnavailable("memory://", "out of memory")

    monkeypatch.setattr(outages.pair.store, "commit", refuse)
    outages.advance(minutes(1.9))
    outages.world.ask(reads)  # whose touch is refused
    cookie = outages.world.cookie
    outages.pair.worlds[1].sessions.sync.end_all("alice")

    assert outages.world.ask(reads, cookie).user is None


def test_outage_reads_need_a_near_cache():
    """There is nothing to read from otherwise: that is refused, in words."""
    with pytest.raises(ConfigError, match="write near= into its URL"):
        Sessions("memory://", policy=READ)
    with pytest.raises(ConfigError, match="write Outage"):
        Policy(outage="read")
