"""Sessions in the file of the application's own tables: neither commits what is the other's."""

import sqlite3
from contextlib import closing

import pytest

from sessile.errors import StoreUnavailable
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.world import World


def puts(session):
    session["v"] = 1


@pytest.fixture
def file(tmp_path):
    """A file with a table of the application's."""
    file = tmp_path / "application.db"
    with closing(sqlite3.connect(file)) as app:
        app.execute("CREATE TABLE orders (item TEXT)")
    return file


@pytest.fixture
def world(file, drive):
    """Sessions in that file."""
    store = SQLiteStore(file)
    yield World(store, drive)
    drive(store.close())


def orders(file):
    with closing(sqlite3.connect(file)) as other:
        return other.execute("SELECT item FROM orders").fetchall()


def test_saved_session_commits_nothing_of_the_application(world, file):
    """A session is saved over a connection of its own: the application may still roll back."""
    world.ask(puts)
    with closing(sqlite3.connect(file)) as app:
        app.execute("INSERT INTO orders VALUES ('hat')")
        assert world.values() == {"v": 1}
        with pytest.raises(StoreUnavailable, match="locked"):
            world.ask(lambda session: session.update(v=2))
        assert orders(file) == []
        app.rollback()

    assert orders(file) == []
    world.ask(lambda session: session.update(v=3))
    assert world.values() == {"v": 3}


def test_application_that_rolls_back_keeps_its_session(world, file):
    """What a session saved while the application was only reading stays when that rolls back."""
    world.ask(puts)
    with closing(sqlite3.connect(file, isolation_level=None)) as app:
        app.execute("BEGIN")
        app.execute("SELECT * FROM orders").fetchall()
        world.ask(lambda session: session.update(v=2))
        app.execute("ROLLBACK")

    assert world.values() == {"v": 2}
