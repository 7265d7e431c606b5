"""Where the values say who is logged in: what may be written, and what is found there."""

from enum import Enum, IntEnum
from uuid import UUID

import pytest

from sessile.core.flow import run
from sessile.core.policy import Policy, hours
from sessile.core.principal import WELL_KNOWN
from sessile.errors import ConfigError
from sessile.service.sessions import Sessions
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World
from sessile.wire.log import log_assumed_principal, log_likely_principal

ID = UUID(int=7)


class Name(str, Enum):  # noqa: UP042  (whose str() is "Name.ALICE")
    ALICE = "alice"


class Number(IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "user"),
    [("42", "42"), (42, "42"), (0, "0"), (ID, str(ID)), (None, None), ("", None), (False, None)],
)
@pytest.mark.parametrize("principal", ["user_id", ["account", "user_id"]])
def test_user_is_a_text_a_number_or_a_uuid(principal, value, user):
    """What is usually a primary key names the user; nothing and an empty text name nobody."""
    world = World(MemoryStore(), run, principal=principal)
    world.ask(lambda session: session.update(user_id=value))

    assert world.ask(dict).user == user


@pytest.mark.parametrize(("value", "user"), [(Name.ALICE, "alice"), (Number.ONE, "1")])
def test_user_is_the_value_that_is_kept(value, user):
    """The member of an enum is its value, at the login as in every later request."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.update(user_id=value))
    world.ask(lambda session: session.update(user_id=value, lang="en"))
    assert (world.ask(dict).user, len(world.sessions.sync.of(user))) == (user, 1)
    world.ask(lambda session: session.pop("user_id"))

    assert (world.ask(dict).user, world.cookie) == (None, "")


@pytest.mark.parametrize("value", [True, 4.2, b"42", {"id": 42}, ["42"]])
def test_what_names_no_user_is_refused_where_it_was_said_to(value):
    """The error names the key, and the function to write; a key that is assumed is passed over."""
    world = World(MemoryStore(), run, principal="user_id")
    with pytest.raises(ConfigError, match=r"session\['user_id'\] is a .*principal=lambda values"):
        world.ask(lambda session: session.update(user_id=value))

    assumed = World(MemoryStore(), run)
    assumed.ask(lambda session: session.update(user_id=value))
    assert assumed.ask(dict).user is None
    assert assumed.values() == {"user_id": value}


LONG = [
    pytest.param("x" * 513, id="text"),
    pytest.param(10**512, id="number"),
    pytest.param(10**5_000, id="number that Python does not spell"),
    pytest.param(-(10**512), id="negative"),
]


@pytest.mark.parametrize("value", LONG)
def test_what_no_login_takes_is_refused_too(value):
    """Nobody could list or end the sessions of such a user; an assumed key is passed over."""
    world = World(MemoryStore(), run, principal="user_id")
    with pytest.raises(ConfigError, match=r"principal: session\['user_id'\] .*512"):
        world.ask(lambda session: session.update(user_id=value))

    assumed = World(MemoryStore(), run)
    assumed.ask(lambda session: session.update(user_id=value))
    assert assumed.ask(dict).user is None


class Liar:
    __class__ = str


@pytest.mark.parametrize("value", [*LONG, "\ud800", pytest.param(Liar(), id="liar"), object(), 4.2])
def test_function_that_returns_no_user_is_refused(value):
    """What it returned names nobody whom a login could; the error says what it is."""
    world = World(MemoryStore(), run, principal=lambda _: value)
    with pytest.raises(ConfigError, match="principal: what the function returned"):
        world.ask(lambda session: session.update(lang="en"))


@pytest.mark.parametrize(
    "value", ["x" * 512, 10**511, -(10**510)], ids=["text", "number", "negative"]
)
def test_longest_key_is_taken(value):
    """It is the longest that ``login`` takes, and its sessions end by it."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.update(user_id=value))

    assert world.sessions.sync.end_all(str(value)) == 1


def test_first_key_that_names_a_user_counts():
    """Flask-Login's key comes before one that a page may use for something else."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: session.update(user_id="7", _user_id="42"))
    assert world.ask(dict).user == "42"
    world.ask(lambda session: session.update(user_id="8"))

    assert world.ask(dict).user == "42"


@pytest.mark.parametrize("where", [[], "", [""], [4], 4, {"user_id"}])
def test_what_is_no_place_is_refused(where):
    """The error says what to write."""
    with pytest.raises(ConfigError, match="write a key of the session"):
        Sessions("memory://", principal=where)


def test_function_that_fails_is_no_logout():
    """An error of the application's own function is the application's, and nothing is stored."""
    world = World(MemoryStore(), run, principal=lambda values: values["user"].id)
    with pytest.raises(AttributeError):
        world.ask(lambda session: session.update(user="42"))

    assert world.cookie == ""


def test_function_cannot_change_the_values():
    """It is shown them, and no more."""
    world = World(MemoryStore(), run, principal=lambda values: values.update(user="42"))
    with pytest.raises(AttributeError):
        world.ask(lambda session: session.update(user="42"))


def test_reader_decodes_nothing_for_it():
    """A request that only reads asks no function, and looks at no key."""
    asked = []
    world = World(MemoryStore(), run, principal=asked.append)
    world.ask(lambda session: session.update(lang="en"))
    asked.clear()
    world.ask(dict)

    assert asked == []


@pytest.fixture
def log(caplog):
    """Give the log, as if nothing had been said yet in this process."""
    log_assumed_principal.cache_clear()
    log_likely_principal.cache_clear()
    caplog.set_level("WARNING", "sessile")
    return caplog


def test_guess_is_told_once(log):
    """Whoever wrote a tutorial's key learns what it is taken for, and what to write."""
    world = World(MemoryStore(), run)
    for _ in range(2):
        world.ask(lambda session: session.update(user_id="42"))
        world.cookie = ""

    (line,) = log.messages
    assert "session['user_id'] was set and is taken for who is logged in" in line
    assert "Sessions(principal='user_id')" in line


def test_likely_key_is_told_once(log):
    """What may be a login, and is not taken for one, is in the log with the line to write."""
    world = World(MemoryStore(), run)
    for _ in range(2):
        world.ask(lambda session: session.update(user={"sub": "42"}))

    assert world.ask(dict).user is None
    (line,) = [line for line in log.messages if "principal" in line]
    assert "Sessions(principal='user')" in line


@pytest.mark.parametrize(
    ("principal", "values"),
    [("user", {"user": "42"}), (None, {"user": "42"}), (WELL_KNOWN, {"_user_id": "42"})],
)
def test_what_is_known_is_not_told(log, principal, values):
    """Where somebody said what it is, and for Flask-Login's own key, there is nothing to say."""
    World(MemoryStore(), run, principal=principal).ask(lambda session: session.update(values))
    logged_in = World(MemoryStore(), run)
    logged_in.ask(lambda session: (session.login("alice"), session.update(user="42")))

    assert [line for line in log.messages if "principal" in line] == []


def test_value_in_a_locked_session_is_a_login():
    """Of the owner it unlocks the session, as ``login`` does; of anybody else it takes nothing."""
    for user, held in (("42", {"user_id": "42", "cart": ["hat"]}), ("43", {"user_id": "43"})):
        world = World(MemoryStore(), run, policy=Policy(idle=60.0, lock=hours(1)))
        world.ask(lambda session: session.update(user_id="42", cart=["hat"]))
        world.ask(dict)
        world.clock.advance(120.0)
        assert world.ask(dict).result == {}
        world.ask(lambda session, user=user: session.update(user_id=user))

        assert (world.ask(dict).user, world.values()) == (user, held)


@pytest.mark.parametrize("left", [None, {}, {"name": "Alice"}, "gone"])
def test_function_that_meets_nobody_logs_out(left):
    """``session["user"] = None`` is a logout of an application whose function looks into it."""
    world = World(MemoryStore(), run, principal=lambda values: values["user"]["sub"])
    world.ask(lambda session: session.update(user={"sub": "42"}))
    world.ask(lambda session: session.update(user=left))

    assert world.ask(lambda session: session.user).result is None
    assert world.sessions.sync.of("42") == []
