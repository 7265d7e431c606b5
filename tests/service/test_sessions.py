"""The face of the library: what ``Sessions`` takes, refuses and answers."""

import asyncio
import logging
import os

import pytest

from sessile import Bearer, Cookie, Policy, Sealing, Sessions
from sessile.core.change import Capability
from sessile.core.flow import run
from sessile.core.policy import days
from sessile.core.request import PlainRequest
from sessile.errors import ConfigError, WeakSecret
from sessile.service import events
from sessile.service.commit import commit_visit
from sessile.service.opening import open_visit
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock
from sessile.testing.world import SECRET

OTHER = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"


class NetworkStore(MemoryStore):
    """A memory store that says it is shared by servers."""

    capabilities = MemoryStore.capabilities | Capability.NETWORK


def browser(sessions, act, cookie=""):
    visit = run(open_visit(sessions.parts, PlainRequest({"cookie": cookie})))
    act(visit.session)
    return (run(commit_visit(sessions.parts, visit)) or ("", ""))[1].partition(";")[0]


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

    assert sessions.parts.ring.all == (OTHER.encode(), SECRET.encode())


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


def test_verbs_are_the_same_in_both_colours():
    """Each verb of Sessions has a blocking twin of the same name and signature."""
    public = {name for name in dir(Sessions) if not name.startswith("_")} - {"sync"}
    blocking = type(Sessions(store=MemoryStore()).sync)

    assert public == {name for name in dir(blocking) if not name.startswith("_")}


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
        ({"excess": "oldest"}, "Excess"),
        ({"idle": float("nan")}, "idle"),
    ]:
        with pytest.raises(ConfigError, match=said):
            Policy(**wrong)


def test_repr_shows_no_secret():
    """Neither Sessions nor its ring shows a secret."""
    sessions = Sessions(store=MemoryStore(), secrets=[SECRET])

    assert SECRET not in f"{sessions!r}{sessions.parts.ring!r}{sessions.parts.sealer!r}"


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
