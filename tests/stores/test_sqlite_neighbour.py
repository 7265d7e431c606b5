"""Sessions in the file of the application's own tables: neither commits what is the other's."""

import sqlite3
from contextlib import closing

import pytest

from sessile import Sessions
from sessile.errors import StoreUnavailable
from sessile.testing.clock import FakeClock
from sessile.testing.drive import COLOURS
from sessile.testing.world import World


@pytest.fixture
def shared(tmp_path):
    """A file with a table of the application's."""
    file = tmp_path / "application.db"
    with closing(sqlite3.connect(file)) as app:
        app.execute("CREATE TABLE orders (item TEXT)")
    return file
