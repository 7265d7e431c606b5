"""The transaction: what opening found stays as it was found, and nobody else writes its fields."""

import ast
from pathlib import Path

import msgspec
import pytest

import sessile
from sessile.core.flow import run
from sessile.core.identity import Intent
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.service.commit import save_midway
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.service.transaction import CommitOutcome, Opened, Standing, Transaction
from sessile.stores.memory import MemoryStore
from sessile.testing.world import World

SOURCE = Path(sessile.__file__).parent
OWN = SOURCE / "service" / "transaction.py"
FIELDS = {*Transaction.__slots__, *Opened.__struct_fields__, *CommitOutcome.__struct_fields__}
AROUND = {"setattr", "delattr", "__setattr__", "__delattr__", "force_setattr"}
OTHERS = {"web/websocket.py state.now"}
"""Fields of something else, which has one of the same name: a session's state goes on in time."""


def writes(tree):
    """Yield what writes, or may write, a field of something other than ``self``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            if node.attr in FIELDS and ast.unparse(node.value) != "self":
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in AROUND:
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
            if FIELDS & set(names) and ast.unparse(node.args[0]) != "self":
                yield ast.unparse(node)


def test_nobody_outside_writes_its_fields():
    """A transaction goes on by ``begin`` and ``resume``; no other module assigns to its fields."""
    modules = [
        path
        for path in SOURCE.rglob("*.py")
        if path != OWN and SOURCE / "testing" not in path.parents  # a World is ``passive`` too
    ]
    found = {
        f"{path.relative_to(SOURCE).as_posix()} {what}"
        for path in modules
        for what in writes(ast.parse(path.read_text()))
    }

    assert len(modules) > 100
    assert found == OTHERS


@pytest.mark.parametrize(
    "line",
    [
        "transaction.opened = None",
        "self.transaction.opened = None",
        "transaction.opened.record: object = None",
        "transaction.now += 1",
        "del transaction.state",
        "a, transaction.opened = 1, 2",
        "for transaction.state in (): pass",
        "with x as transaction.state: pass",
        "setattr(transaction, 'opened', None)",
        "object.__setattr__(transaction.opened, 'record', None)",
        "msgspec.structs.force_setattr(transaction.opened, 'record', None)",
    ],
)
def test_every_way_to_write_is_seen(line):
    """The look at the source misses no kind of assignment."""
    assert len(list(writes(ast.parse(line)))) == 1


def logged_in():
    """Return a world whose browser is logged in, and its next transaction."""
    world = World(MemoryStore(), run)
    world.ask(lambda session: (session.update(cart=["hat"]), session.login("alice")))
    request = PlainRequest({"cookie": world.cookie, "user-agent": world.agent}, peer=world.peer)
    return world, run(open_transaction(context_of(world.sessions), request))


def test_what_was_found_cannot_be_changed():
    """It is frozen: who wants to know what a request came with can look at it at any time."""
    _, transaction = logged_in()
    for name in Opened.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(transaction.opened, name, None)
    with pytest.raises(AttributeError):
        transaction.found = None


def test_what_was_found_outlives_the_application():
    """What an application does to its values does not touch those that were found."""
    _, transaction = logged_in()
    before = msgspec.structs.asdict(transaction.opened)
    session = Session(transaction.state)
    session["cart"].append("sock")
    session["v"] = 1
    session.logout()

    assert msgspec.structs.asdict(transaction.opened) == before
    assert transaction.opened.shown.keys() == {"cart"}


def test_locked_session_shows_nothing():
    """The values are found, for the merge of an unlocking, and the application sees none."""
    world, transaction = logged_in()
    found = transaction.opened

    assert found.shown == found.values
    assert msgspec.structs.replace(found, lock=object()).shown == {}
    assert world.values() == {"cart": ["hat"]}


def test_transaction_goes_on_from_what_was_saved():
    """A WebSocket that saves and logs out stands where that has put it."""
    _, transaction = logged_in()
    session = Session(transaction.state)
    session["v"] = 1
    assert run(save_midway(transaction))
    assert transaction.opened.standing is Standing.LIVE
    assert transaction.opened.values.keys() == {"cart", "v"}
    assert not transaction.state.values.delta()
    session.logout()
    assert not run(save_midway(transaction))

    assert (transaction.opened.standing, transaction.opened.record) == (Standing.ANONYMOUS, None)
    assert transaction.opened.values == {}
    assert (session.user, transaction.state.intent) == (None, Intent.KEEP)


def test_repr_shows_no_secret():
    """What is seen of a transaction in a log is the record's id and version."""
    _, transaction = logged_in()
    ticket = transaction.opened.ticket.reveal()
    outcome = CommitOutcome(transaction.opened.record, transaction.opened.ticket)
    shown = f"{transaction.opened!r} {outcome!r}"

    assert transaction.opened.record.key in shown
    assert ticket[-40:] not in shown
    assert "cart" not in shown
