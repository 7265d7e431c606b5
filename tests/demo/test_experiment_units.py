"""The parts of the experiments, each by itself: the naive store, the switch, the words."""

import asyncio
import inspect

import pytest

from sessile import Outage
from sessile.core.flow import run
from sessile.core.ticket import Key
from sessile.demo.late import LateRequests
from sessile.demo.naive import NaiveFile, NaiveRedis, NaiveSessions
from sessile.demo.page import kind_of
from sessile.demo.results import Results
from sessile.demo.stoppable_store import StoppableStore
from sessile.demo.switch import STOP, StoreSwitch
from sessile.demo.twenty import MANY, Tally, TwentyResult
from sessile.errors import StoreUnavailable
from sessile.service.events import Created, Dropped
from sessile.stores.contract import Store
from sessile.stores.memory import MemoryStore
from sessile.stores.open import open_store

NOW = 1_700_000_000.0
ALL = tuple(range(1, MANY + 1))


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def switch(tmp_path, clock):
    return StoreSwitch(tmp_path / "switch", clock)


@pytest.fixture(params=["sqlite", "redis"])
def naive(request, tmp_path):
    """The naive sessions beside either store."""
    path = tmp_path / "naive.db"
    NaiveFile.create(path)
    if request.param == "sqlite":
        return lambda: NaiveSessions(NaiveFile(path))
    url = request.getfixturevalue("own_redis").url
    return lambda: NaiveSessions(NaiveRedis(url))


def test_the_naive_one_loses_what_a_rival_wrote_meanwhile(naive):
    """Read by both, written by both: the later write stands, and nobody is told."""

    async def race():
        one, two = naive(), naive()
        async with one.open("k") as mine:
            mine["list"] = [0]
        async with one.open("k") as mine:
            async with two.open("k") as theirs:
                theirs["list"].append(1)
            mine["list"].append(2)
        async with two.open("k") as kept:
            return kept["list"]

    assert asyncio.run(race()) == [0, 2]


@pytest.mark.parametrize(
    ("url", "kept_in"),
    [
        ("sqlite:///{}/sessions.db", NaiveFile),
        ("redis://localhost:1/0", NaiveRedis),
        ("redis://localhost:1/0?near=10", NaiveRedis),
        ("valkey://localhost:1/0", NaiveRedis),
        ("redis+sentinel://localhost:1/main/0", NaiveRedis),
        ("lmdb:///{}/sessions.lmdb", NaiveFile),
        ("postgresql://localhost:1/app", NaiveFile),
    ],
)
def test_the_naive_one_is_kept_in_the_same_redis_or_a_file(tmp_path, url, kept_in):
    """Beside every store there is one."""
    url = url.format(tmp_path)
    NaiveFile.create(tmp_path / "naive.db")

    naive = NaiveSessions.beside(open_store(url), url, tmp_path / "naive.db")

    assert type(naive._store) is kept_in


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sqlite:///a.db", "SQLite"),
        ("redis://cache:6379/0", "Redis"),
        ("rediss://cache:6379/0", "Redis"),
        ("valkey+sentinel://one/main/0", "Valkey"),
        ("lmdb:///a.lmdb", "LMDB"),
        ("postgresql://db/app", "Postgres"),
        ("mongo://there", "mongo"),
    ],
)
def test_a_store_is_called_by_its_name(name, kind):
    """As people call it; a store that the demo does not know, as its URL does."""
    assert kind_of(name) == kind


def test_the_naive_one_keeps_what_comes_in_turn(naive):
    """Without a rival it is as good as any: what it loses, it loses to races."""

    async def take_turns():
        for number in ALL:
            async with naive().open("k") as values:
                values.setdefault("list", []).append(number)
        async with naive().open("k") as kept:
            return kept["list"]

    assert asyncio.run(take_turns()) == list(ALL)


@pytest.mark.parametrize(
    ("naive", "sentence", "comment"),
    [
        (Tally(ALL, ALL[:7], {"A": 20}), "the naive one 7 of 20.", "was overwritten"),
        (Tally(ALL, ALL, {"A": 20}), "the naive one 20 of 20.", "lost nothing this time"),
        (Tally(ALL[:19], ALL[:1], {"A": 19}), "the naive one 1 of 19.", "was overwritten"),
    ],
)
def test_the_sentence_is_true_of_the_counts(naive, sentence, comment):
    """Whatever was measured, also when the naive one was lucky."""
    result = TwentyResult(Tally(ALL, ALL, {"A": 20}), naive)

    assert result.sentence.startswith("sessile kept 20 of 20")
    assert result.sentence.endswith(sentence)
    assert comment in result.comment


def test_copies_are_read_until_the_store_comes_back(switch, clock):
    """By itself as well; a stop of the other kind reads none."""
    switch.stop(Outage.READ)
    during = switch.reads_on()
    clock.now += STOP
    after = switch.reads_on()
    switch.stop()

    assert (during, after, switch.reads_on()) == (True, False, False)


def test_the_store_comes_back_by_itself(switch, clock):
    """Until its time is over each command is refused; a start ends that at once."""
    switch.stop()
    with pytest.raises(StoreUnavailable, match="stopped on the page"):
        switch.check("here")
    clock.now += STOP - 1
    left = switch.remaining()
    clock.now += 1
    switch.check("here")
    switch.stop()
    switch.start()
    switch.start()

    assert left == 1
    assert switch.remaining() == 0


VERBS = [
    name
    for name, verb in vars(Store).items()
    if inspect.iscoroutinefunction(verb) and name != "close"
]


@pytest.mark.parametrize("verb", VERBS)
def test_a_stopped_store_refuses_every_command(switch, verb):
    """Each verb of the contract, so that none is forgotten; the one behind is not asked."""
    store = StoppableStore(MemoryStore(), switch)
    needed = [
        one
        for one in inspect.signature(getattr(store, verb)).parameters.values()
        if one.default is one.empty
    ]
    switch.stop()

    with pytest.raises(StoreUnavailable):
        run(getattr(store, verb)(*(None for _ in needed)))


def test_a_running_store_is_the_one_behind(switch):
    """Its name, what it can do, and what it holds."""
    behind = MemoryStore()
    store = StoppableStore(behind, switch)

    assert (store.name, store.capabilities) == (behind.name, behind.capabilities)
    assert isinstance(store, Store)
    assert run(store.count()) == 0


def test_a_result_is_kept_for_a_while(tmp_path, clock):
    """As it was, under a token of its own; a later one sweeps it away when it is old."""
    Results.create(tmp_path / "results.db")
    results = Results(tmp_path / "results.db", clock)
    result = TwentyResult(Tally(ALL, ALL, {"A": 20}), Tally(ALL, ALL[:7], {"A": 20}))

    token = results.keep(result)
    found = results.find(token)
    clock.now += 3_600
    other = results.keep(result)

    assert found == result
    assert token != other
    assert (results.find(token), results.find(other), results.find("")) == (None, result, None)


def test_a_drop_is_noted_for_a_slow_request_alone(tmp_path):
    """The hook keeps the keys of a session whose slow request is under way, and nothing else."""
    LateRequests.create(tmp_path / "late.db")
    late = LateRequests(tmp_path / "late.db")
    one, two = Key("a" * 20), Key("b" * 20)

    late.begin(one)
    begun = [late.is_under_way(key) for key in (one, two)]
    for event in (Created(NOW, one), Dropped(NOW, two, ("x",)), Dropped(NOW, None, ("x",))):
        late.note_dropped(event)
    before = late.drop_of(one)
    late.note_dropped(Dropped(NOW, one, ("cart", "steps")))

    assert begun == [True, False]
    assert before == ""
    assert [late.drop_of(key) for key in (one, two)] == ["cart, steps", ""]
