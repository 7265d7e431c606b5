"""The face of the library: what ``Sessions`` takes, refuses and answers."""

import asyncio
import inspect
import logging
import os
from pathlib import Path

import pytest

from sessile import Bearer, Cookie, Policy, Sealing, Sessions
from sessile.core.flow import run
from sessile.core.policy import OnReplay, days
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import ConfigError, StepUpNeeded, TokenNeeded, WeakSecret
from sessile.service import events
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import SyncSessions, context_of
from sessile.stores.contract import Capability
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock, SeededEntropy
from sessile.testing.promises.stories import puts
from sessile.testing.world import SECRET, World

OTHER = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"


class NetworkStore(MemoryStore):
    """A memory store that says it is shared by servers."""

    capabilities = MemoryStore.capabilities | Capability.NETWORK


def browser(sessions, act, cookie=""):
    request = PlainRequest({"cookie": cookie})
    transaction = run(open_transaction(context_of(sessions), request))
    act(Session(transaction.state))
    return (run(commit(transaction)) or [("", "")])[0][1].partition(";")[0]


def test_network_store_without_secrets_is_refused():
    """Servers that share a store must share a secret, and the error names the way to one."""
    with pytest.raises(ConfigError, match="sessile keygen"):
        Sessions(store=NetworkStore())


def test_url_and_store_together_are_refused():
    """A URL beside a store of your own is an error, not a guess."""
    with pytest.raises(ConfigError, match="not both"):
        Sessions("memory://", store=MemoryStore())


@pytest.mark.parametrize(
    "secret",
    ["short", "a" * 40, "abc" * 20, "change-me-change-you-change-us-all-please", ""],
)
def test_weak_secrets_are_refused(secret):
    """Short, repeated and example secrets stop the application at start."""
    with pytest.raises(WeakSecret, match="keygen"):
        Sessions(store=MemoryStore(), secrets=[secret])


def test_secrets_come_from_the_environment(monkeypatch):
    """SESSILE_SECRETS is the key ring, newest first, separated by commas."""
    monkeypatch.setitem(os.environ, "SESSILE_SECRETS", f"{OTHER}, {SECRET}")
    sessions = Sessions(store=NetworkStore())

    assert context_of(sessions).ring.all == (OTHER.encode(), SECRET.encode())


@pytest.mark.parametrize("sealing", list(Sealing))
def test_values_are_sealed_when_secrets_are_given(sealing):
    """With secrets no value stands in the store in plain, unless sealing is switched off."""
    store = MemoryStore()
    sessions = Sessions(store=store, secrets=[SECRET], sealing=sealing)
    browser(sessions, lambda s: s.update(pet="axolotl"))

    assert (b"axolotl" in repr(vars(store)).encode()) is (sealing is Sealing.OFF)


def test_old_secret_opens_until_it_is_retired():
    """The newest secret seals, the others open; a retired one opens nothing."""
    store = MemoryStore()
    cookie = browser(Sessions(store=store, secrets=[SECRET]), lambda s: s.update(n=1))
    seen = []
    both = Sessions(store=store, secrets=[OTHER, SECRET])
    browser(both, lambda s: (seen.append(dict(s)), s.update(n=2)), cookie)
    new = Sessions(store=store, secrets=[OTHER])
    browser(new, lambda s: seen.append(dict(s)), cookie)

    assert seen == [{"n": 1}, {"n": 2}]


def test_record_under_unknown_secrets_counts_as_absent():
    """A record sealed under other secrets is an anonymous visitor and an event, no error."""
    store = MemoryStore()
    cookie = browser(Sessions(store=store, secrets=[SECRET]), lambda s: s.update(n=1))
    told = []
    stranger = Sessions(store=store, secrets=[OTHER], hooks=[told.append])
    seen = []
    browser(stranger, lambda s: seen.append(dict(s)), cookie)

    assert seen == [{}]
    assert [type(event) for event in told] == [events.Malformed]


def test_wrong_secret_is_told_in_the_log_once_in_a_while(caplog):
    """Everybody is logged out then, and an operator without a hook has to hear of it."""
    store, clock = MemoryStore(), FakeClock()
    before = Sessions(store=store, secrets=[SECRET], clock=clock)
    cookies = [browser(before, lambda session: session.login("alice")) for _ in range(2)]
    after = Sessions(store=store, secrets=[OTHER], clock=clock)
    for _ in range(3):
        for cookie in cookies:
            browser(after, dict, cookie)
        clock.advance(40)

    told = [line.getMessage() for line in caplog.records if line.name == "sessile"]
    assert len(told) == 2
    assert "secrets" in told[0]
    assert SECRET not in told[0]


def test_failing_hook_harms_no_request(caplog):
    """A hook that raises is reported by its name, without what it said."""
    told = []

    def bad(event):
        raise RuntimeError("the secret is 42")

    with caplog.at_level(logging.ERROR, "sessile"):
        sessions = Sessions(store=MemoryStore(), hooks=[bad, told.append])
        assert browser(sessions, lambda s: s.update(n=1))

    assert [type(event) for event in told] == [events.Created]
    assert "bad" in caplog.text
    assert "42" not in caplog.text


def public(kind):
    return {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}


def is_flow(verb):
    return inspect.iscoroutinefunction(verb) or inspect.isasyncgenfunction(verb)


def test_verbs_are_the_same_in_both_colours():
    """Each verb of Sessions has a blocking twin of the same name and signature."""
    verbs = {name: verb for name, verb in public(Sessions).items() if is_flow(verb)}
    twins = public(SyncSessions)

    assert verbs.keys() == twins.keys()
    assert not any(map(is_flow, twins.values()))
    for name, verb in verbs.items():
        ours, theirs = inspect.signature(verb), inspect.signature(twins[name])
        assert ours.parameters == theirs.parameters, name  # names, kinds, defaults, annotations
        answers = str(ours.return_annotation).replace("AsyncIterator", "Iterator")
        assert answers == str(theirs.return_annotation), name


def test_what_is_no_verb_asks_no_store():
    """What only the async face has needs no twin: it returns at once, in either colour."""
    store = MemoryStore()
    sessions = Sessions(store=store)
    transaction = run(open_transaction(context_of(sessions), PlainRequest({})))
    session = Session(transaction.state)
    session["v"] = 1
    run(store.close())
    faces = public(Sessions).keys() - public(SyncSessions).keys()

    drains = {"drain", "undrain", "is_drained", "drain_at_sigterm"}
    assert faces == {"name", "csrf_token", "check_csrf", *drains}
    assert sessions.name == "memory://"
    assert sessions.csrf_token(session)
    assert not sessions.is_drained
    sessions.drain()
    assert sessions.is_drained
    sessions.undrain()
    with pytest.raises(TokenNeeded):
        sessions.check_csrf(session, "")


VERBS = {
    "of": lambda face, ids: face.of("alice", current=ids[0]),
    "show": lambda face, ids: face.show(ids[0]),
    "show nothing": lambda face, ids: face.show("A" * 20),
    "evidence": lambda face, ids: face.evidence(ids[2]),
    "spend": lambda face, ids: face.spend(ids[3], "pay"),
    "spend nothing": lambda face, ids: face.spend(ids[3], "rename"),
    "end": lambda face, ids: face.end(ids[0]),
    "end nobody's": lambda face, ids: face.end(ids[0], owner=None),
    "end_all": lambda face, ids: face.end_all("alice", keep=ids[1]),
    "end_everybody": lambda face, ids: face.end_everybody(),
    "sweep": lambda face, ids: face.sweep(),
    "scan": lambda face, ids: face.scan(),
    "count": lambda face, ids: face.count(),
    "ping": lambda face, ids: face.ping(),
    "close": lambda face, ids: face.close(),
}


def furnished():
    """Return a world, and ids in it: alice's sessions, and a stolen one; and one with a grant."""
    world = World(MemoryStore(), run)
    context_of(world.sessions).entropy = SeededEntropy()
    world.ask(puts(n=1), cookie="")
    world.clock.advance(1800.0)  # that one has expired
    ids = [world.ask(lambda s: (s.login("alice"), s.id)[1], cookie="").result for _ in range(2)]
    world.ask(lambda s: s.login("bob"))
    stolen, taken = world.cookie, world.ask(lambda s: s.id).result
    world.ask(lambda s: s.rotate())
    world.ask()
    world.clock.advance(91.0)
    world.ask(cookie=stolen)
    world.ask(lambda s: s.login("carol"))
    world.ask(lambda s: s.step_up("pay", factors=("totp",)))
    request = PlainRequest({"cookie": world.cookie, "user-agent": world.agent}, peer=world.peer)
    transaction = run(open_transaction(context_of(world.sessions), request))
    return world, [*ids, taken, Session(transaction.state)]


async def awaited(answer):
    """Return what an async verb answers, page after page where it yields."""
    if inspect.isasyncgen(answer):
        return [one async for one in answer]
    return await answer


def outcome(act):
    """Return what an act returned, or the kind of its error; a generator's answers as a list."""
    try:
        answer = act()
        return list(answer) if inspect.isgenerator(answer) else answer
    except StepUpNeeded as error:
        return type(error)


@pytest.mark.parametrize("verb", VERBS)
def test_sync_returns_what_async_awaits(verb):
    """The same call in two equal worlds has the same answer, and leaves the same."""
    (ours, ids), (theirs, others) = furnished(), furnished()
    assert ids[:3] == others[:3]
    ask = VERBS[verb]
    blocking = outcome(lambda: ask(ours.sessions.sync, ids))
    awaiting = outcome(lambda: asyncio.run(awaited(ask(theirs.sessions, others))))

    assert blocking == awaiting
    assert ours.events == theirs.events
    left = [vars(context_of(world.sessions).store)["_owners"] for world in (ours, theirs)]
    assert left[0] == left[1]


def test_every_verb_is_asked_in_both_colours():
    """No verb is forgotten in the table of calls."""
    assert {name.split()[0] for name in VERBS} == public(SyncSessions).keys()


MEETINGS = {
    "a request": lambda sessions, key, cookie: browser(sessions, dict, cookie),
    "of": lambda sessions, key, cookie: sessions.sync.of("alice"),
    "show": lambda sessions, key, cookie: sessions.sync.show(key),
    "scan": lambda sessions, key, cookie: list(sessions.sync.scan()),
    "evidence": lambda sessions, key, cookie: sessions.sync.evidence(key),
    "end": lambda sessions, key, cookie: sessions.sync.end(key),
}


@pytest.mark.parametrize("meeting", MEETINGS)
@pytest.mark.parametrize("first", [True, False])
def test_malformed_row_is_told_to_whoever_meets_it(meeting, first):
    """Of two ``Sessions`` over one store each hears of what it meets, and of nothing else."""
    store, told = MemoryStore(), ([], [])
    both = [Sessions(store=store, secrets=[SECRET], hooks=[ours.append]) for ours in told]
    cookie = browser(both[0], lambda session: session.login("alice"))
    (key,) = store._rows
    store._rows[key] = b"junk"
    for events_of_one in told:
        events_of_one.clear()
    here, there = told if first else reversed(told)
    MEETINGS[meeting](both[0 if first else 1], key, cookie)

    heard = [event for event in here if isinstance(event, events.Malformed)]
    assert [event.session for event in heard] == [key]
    assert there == []


def test_each_hears_of_the_row_that_it_meets_itself():
    """The one that was made first hears no less than the last, and neither hears for the other."""
    store, told = MemoryStore(), ([], [])
    both = [Sessions(store=store, secrets=[SECRET], hooks=[ours.append]) for ours in told]
    cookies = [browser(one, lambda session: session.login("alice")) for one in both]
    keys = list(store._rows)
    for key in keys:
        store._rows[key] = b"junk"
    for one, cookie in zip(both, cookies, strict=True):
        browser(one, dict, cookie)
    heard = [[e.session for e in each if isinstance(e, events.Malformed)] for each in told]

    assert heard == [[keys[0]], [keys[1]]]


def test_devices_are_listed_and_ended():
    """A user's sessions are listed oldest first, the current one marked, and ended one by one."""
    clock = FakeClock()
    sessions = Sessions(store=MemoryStore(), clock=clock)
    ids = []
    for device in ("Firefox on Linux", "Safari on iPhone", "curl"):
        browser(sessions, lambda s, d=device: (s.login("alice", device=d), ids.append(s.id)))
        clock.advance(1)
    listed = sessions.sync.of("alice", current=ids[1])

    assert [(info.device, info.current) for info in listed] == [
        ("Firefox on Linux", False),
        ("Safari on iPhone", True),
        ("curl", False),
    ]
    assert sessions.sync.end(ids[0])
    assert not sessions.sync.end(ids[0])
    assert not sessions.sync.end("no such shape")
    assert sessions.sync.end_all("alice", keep=ids[1]) == 1
    assert [info.id for info in asyncio.run(sessions.of("alice"))] == [ids[1]]


def test_show_tells_clocks_and_no_values():
    """One session is shown with its clocks; nothing shown holds a value or a ticket."""
    clock = FakeClock()
    sessions = Sessions(store=MemoryStore(), clock=clock, policy=Policy(idle=600, absolute=6000))
    ids = []
    cookie = browser(sessions, lambda s: (s.update(pet="axolotl"), ids.append(s.id)))
    info = sessions.sync.show(ids[0])

    assert info is not None
    assert (info.created, info.expires, info.ends) == (clock(), clock() + 600, clock() + 6000)
    assert "axolotl" not in repr(info)
    assert cookie[-40:] not in repr(info)
    assert sessions.sync.show("A" * 20) is None


def test_sweep_removes_the_expired_and_counts_them():
    """A sweep removes what is past its deadline, in batches, and nothing else."""
    clock = FakeClock()
    sessions = Sessions(store=MemoryStore(), clock=clock)
    for _ in range(5):
        browser(sessions, lambda s: s.update(n=1))
    clock.advance(1801)
    browser(sessions, lambda s: s.update(n=1))

    assert sum(sessions.sync.sweep()) == 5
    assert sum(sessions.sync.sweep()) == 0


def test_births_sweep_now_and_then():
    """A store that no one sweeps stays bounded: births remove what has expired."""
    clock = FakeClock()
    store = MemoryStore()
    sessions = Sessions(store=store, clock=clock)
    for _ in range(200):
        browser(sessions, lambda s: s.update(n=1))
        clock.advance(60)

    assert len(store._rows) < 100


def test_wrong_policies_are_refused():
    """A policy that cannot be meant says which number to change."""
    for wrong, said in [
        ({"idle": 0}, "idle"),
        ({"idle": days(2), "absolute": days(1)}, "shorten idle"),
        ({"limit": 0}, "limit"),
        ({"rotate": 10.0}, "grace"),
        ({"on_limit": "oldest"}, "OnLimit"),
        ({"idle": float("nan")}, "idle"),
    ]:
        with pytest.raises(ConfigError, match=said):
            Policy(**wrong)


def test_repr_shows_no_secret():
    """Neither Sessions nor its ring shows a secret."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET])

    assert SECRET not in f"{sessions!r}{context_of(sessions).ring!r}{context_of(sessions).sealer!r}"


@pytest.mark.parametrize(
    "wrong",
    [
        {"policy": {"idle": 60}}, {"cookie": "sid"}, {"origins": ["https://a.example"]},
        {"proxies": ["10.0.0.1"]}, {"sealing": True}, {"sealing": "off"}, {"hooks": print},
        {"carriers": Bearer()}, {"carriers": [Cookie(), Cookie(path="/", partitioned=True)]},
    ],
)  # fmt: skip
def test_option_of_another_kind_is_refused_at_start(wrong):
    """What would fail with the first request, or leave values unsealed, fails now and by name."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Sessions("memory://", secrets=[SECRET], **wrong)


class IndexlessStore(MemoryStore):
    """A memory store that says it keeps no index of a user's sessions."""

    capabilities = MemoryStore.capabilities & ~Capability.OWNERS


@pytest.mark.parametrize(
    ("policy", "unmet"),
    [
        (Policy(limit=1), "limit"),
        (Policy(limit=lambda user: None), "limit"),
        (Policy(on_replay=OnReplay.END_ALL), "END_ALL"),
    ],
    ids=["limit", "function", "replay"],
)
def test_policy_that_the_store_would_pass_over_is_refused(policy, unmet):
    """A limit that nobody can keep is an error at start."""
    with pytest.raises(
        ConfigError, match=rf"memory:// keeps no index .*{unmet}.*Capability\.OWNERS"
    ):
        Sessions(store=IndexlessStore(), policy=policy)


@pytest.mark.parametrize("verb", ["of", "end_all"])
def test_user_without_index_is_not_a_user_without_sessions(verb):
    """Where nobody knows which sessions are a user's, the answer is no empty one."""
    sessions = Sessions(store=IndexlessStore())
    browser(sessions, lambda session: session.login("alice"))

    with pytest.raises(ConfigError, match="keeps no index"):
        getattr(sessions.sync, verb)("alice")
    with pytest.raises(ConfigError, match="keeps no index"):
        asyncio.run(getattr(sessions, verb)("alice"))


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"url": Path("sessile.db")}, r"url is PosixPath\('sessile.db'\): write url=\"sqlite:///"),
        ({"url": 5}, "url is 5: write url="),
        ({"hooks": ["print"]}, "write a function of one event"),
        ({"hooks": None}, "write a list"),
        ({"secrets": 5}, r"secrets is int: write secrets=\[...\]"),
    ],
)
def test_wrong_option_is_refused_with_advice(options, advice):
    """And not with the first request, or in a log."""
    with pytest.raises(ConfigError, match=advice):
        Sessions(**options)
