"""The key ring of a server, and values that it cannot open."""

import pytest

from sessile import Policy, Sessions, days
from sessile.core.flow import run
from sessile.core.record import pack
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import ConfigError, WeakSecret
from sessile.service import events
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.application import SessionTester
from sessile.testing.world import NEWER, SECRET, World
from sessile.wire.log import log_key_file


def test_ring_is_bounded():
    """What a stranger's ticket costs grows with the ring, so a ring has four secrets at most."""
    many = [f"{NEWER}{n}" for n in range(5)]
    with pytest.raises(WeakSecret, match="retire the oldest"):
        Sessions(store=MemoryStore(), secrets=many)

    assert Sessions(store=MemoryStore(), secrets=[SECRET, *many[:3]])


def test_server_without_secrets_opens_no_sealed_session():
    """A server that was given no secrets takes a sealed record for absent, and harms it not."""
    store = MemoryStore()
    right = World(store, run)
    right.ask(lambda s: (s.update(cart=[1]), s.login("alice")))
    wrong = Sessions(store=store, clock=right.clock)
    request = PlainRequest({"cookie": right.cookie})
    transaction = run(open_transaction(context_of(wrong), request))
    session = Session(transaction.state)
    seen = (session.user, session.get("cart"))
    run(commit(transaction))

    assert seen == (None, None)
    assert right.values() == {"cart": [1]}


def test_used_session_needs_no_old_secret():
    """A look is enough, also of a remembered user and of a cart; one that rests still needs it."""
    store, policy = MemoryStore(), Policy(anonymous_idle=days(30), rotate=None)
    with SessionTester(Sessions(store=store, secrets=[SECRET], policy=policy)) as tester:
        alice = tester.log_in("alice", remember=True, values={"n": 1})
        bob = tester.log_in("bob", remember=True)
        cart = tester.begin({"cart": ["hat"]})
    both = Sessions(store=store, secrets=[NEWER, SECRET], policy=policy)
    context_of(both).clock = lambda: tester.clock() + days(2)
    for cookies in (alice, cart):
        ((name, ticket),) = cookies.items()
        request = PlainRequest({"cookie": f"{name}={ticket}"})
        transaction = run(open_transaction(context_of(both), request))
        assert dict(Session(transaction.state))
        run(commit(transaction))
    with SessionTester(Sessions(store=store, secrets=[NEWER], policy=policy)) as later:
        later.clock.advance(days(2))

        assert (later.user(alice), later.values(alice)) == ("alice", {"n": 1})
        assert later.values(cart) == {"cart": ["hat"]}
        assert later.user(bob) is None


def first_secrets(path, secrets, monkeypatch):
    """Open a file of sessions that ran with its own key, with these secrets of the environment."""
    monkeypatch.setenv("SESSILE_SECRETS", secrets)
    return Sessions(f"sqlite:///{path}")


@pytest.fixture
def kept(tmp_path):
    """A file of sessions that ran without secrets, and the cookie of a user whose ticket turned."""
    path = tmp_path / "shop.db"
    sessions = Sessions(f"sqlite:///{path}")
    cookie = ask(sessions, "", lambda s: (s.login("alice"), s.update(cart=[1])))[1]
    lost = ask(sessions, cookie, lambda s: s.rotate())[1]
    assert lost != cookie
    sessions.sync.close()
    return path, cookie


def ask(sessions, cookie, act):
    context = context_of(sessions)
    transaction = run(open_transaction(context, PlainRequest({"cookie": cookie})))
    session = Session(transaction.state)
    act(session)
    seen = (session.user, session.get("cart"))
    given = run(commit(transaction))
    return seen, given[-1][1].partition(";")[0] if given else cookie


def test_first_secrets_are_told_what_opens_the_sessions_from_before(kept, monkeypatch, caplog):
    """Nobody is logged out in silence: a line says what to write, and written it opens them all.

    The key file is not taken by itself: whoever can put a file there could make any session.
    """
    path, cookie = kept
    log_key_file.cache_clear()
    sessions = first_secrets(path, SECRET, monkeypatch)
    assert ask(sessions, cookie, dict)[0] == (None, None)
    line = f"SESSILE_SECRETS=...,file:{path}.key"
    assert line in caplog.text
    sessions.sync.close()
    caplog.clear()
    log_key_file.cache_clear()
    sessions = first_secrets(path, f"{SECRET},file:{path}.key", monkeypatch)
    seen, current = ask(sessions, cookie, lambda s: s.update(seen=1))  # its successor was lost

    assert seen == ("alice", [1])
    assert ask(sessions, current, dict)[0] == ("alice", [1])
    assert caplog.records == []
    (row,) = run(context_of(sessions).store.scan()).records
    assert all(value[:1] == b"\x01" for value in row.data.values())  # sealed by now
    sessions.sync.close()
    sessions = first_secrets(path, SECRET, monkeypatch)
    assert ask(sessions, current, dict)[0] == ("alice", [1])  # once changed it needs no old secret
    sessions.sync.close()


def test_key_file_that_is_gone_is_named_by_nobody(kept, monkeypatch, caplog):
    """Without the file there is nothing to say; one that others could read opens nothing."""
    path, _ = kept
    key = path.with_name("shop.db.key")
    key.chmod(0o644)
    log_key_file.cache_clear()
    first_secrets(path, SECRET, monkeypatch).sync.close()
    with pytest.raises(ConfigError, match="chmod 600"):
        first_secrets(path, f"{SECRET},file:{key}", monkeypatch)
    key.unlink()
    first_secrets(path, SECRET, monkeypatch).sync.close()

    assert caplog.records == []
    assert not key.exists()


@pytest.mark.parametrize("name", ["SESSILE_SECRETS", "SESSILE_URL"])
@pytest.mark.parametrize("text", ["", " "])
def test_setting_that_is_empty_is_refused(name, text, tmp_path, monkeypatch):
    """``SESSILE_SECRETS=${UNSET}`` is a mistake, and not a wish for unsealed sessions elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigError, match=f"{name} is set and empty: .*unset it"):
        Sessions()

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "spelling", ['"{}"', "'{}'", '["{}"]', "{}\n{}", '"{},{}"', "{}\r\n{}", "[{}]", '{},"{}"']
)
def test_secrets_that_are_spelt_otherwise_are_refused(spelling, monkeypatch):
    """A file of another kind keeps the quotes, and two lines are no two secrets: nobody is told."""
    new, old = "nW9xKq2vTz7mLr4bYc8Jd1Hf6Gs3Pa5Ue0Io", "oL2pRt8wXz4vBn6mKj1Hg9Fd3Sa7Qe5Ty0Ui"
    monkeypatch.setenv("SESSILE_SECRETS", spelling.format(new, old))
    with pytest.raises(ConfigError, match="SESSILE_SECRETS has quotes") as refused:
        Sessions("memory://")

    assert new not in str(refused.value)


def test_reader_of_a_corrupt_value_writes_nothing():
    """A value that cannot be read counts as absent and is told; reading does not remove it."""
    store = MemoryStore()
    world = World(store, run)
    sessions = Sessions(store=store, clock=world.clock, hooks=[world.events.append])
    world.sessions = sessions
    world.ask(lambda s: s.update(a=1, b=2))
    (key,), sealer = store._rows, context_of(sessions).sealer
    row, _ = sealer.seal(run(store.read(key)), {"b": b"\xc1"}, frozenset())
    store._rows[key] = pack(row)
    version = sessions.sync.show(key).version
    held = world.ask(lambda s: ("b" in s, s.get("b"), s["a"])).result

    assert held[1:] == (None, 1)
    assert world.events_of(events.Malformed)
    assert sessions.sync.show(key).version == version
    world.ask(lambda s: s.update(b=3))
    assert world.values() == {"a": 1, "b": 3}
