"""A Postgres server that lost the end of everybody, as by a fail-over, revives nobody."""

import pytest

from harness.backends import PostgresPlace
from sessile.stores.contract import GONE
from sessile.testing.sample import change, key, record

BACK = {
    "older": "UPDATE TABLE SET version = version - 1 WHERE key = '@generation'",
    "missing": "DELETE FROM TABLE WHERE key = '@generation'",
}


@pytest.fixture
def place(tmp_path):
    """A table of this test's own."""
    place = PostgresPlace(tmp_path)
    yield place
    place.leave()


@pytest.fixture
def stores(place, drive):
    """Two processes' stores."""
    stores = place.open(), place.open()
    yield stores
    for store in stores:
        drive(store.close())


def generation(place):
    return place.server.ask(f"SELECT version FROM {place.table} WHERE key = '@generation'")


@pytest.mark.parametrize("back", BACK)
def test_lost_end_of_everybody_revives_nobody(place, stores, drive, caplog, back):
    """Whoever has seen the newer generation begins one newer than both, and logs it once."""
    one, other = stores
    drive(one.create(record("a")))
    drive(one.end_everybody())
    assert drive(other.read(key("a"))) is None  # and has seen it
    place.server.ask(BACK[back].replace("TABLE", place.table))

    for store in (other, one):
        assert drive(store.read(key("a"))) is None
        assert drive(store.commit(change(record("a")))) == GONE
    assert caplog.text.count("has lost data") == 1
    assert generation(place) == [(2,)]
    drive(one.create(record("a")))
    assert drive(other.read(key("a"))) == record("a")


def test_late_answer_is_no_alarm(place, stores, drive, caplog):
    """An answer from before the end of everybody, that comes after it, ends nobody once more."""
    one, other = stores
    drive(one.end_everybody())
    drive(other.create(record("a")))
    assert drive(other.read(key("a"))) == record("a")

    assert drive(other._seen.follow(0)) is False
    assert generation(place) == [(1,)]
    assert drive(other.read(key("a"))) == record("a")
    assert caplog.text == ""


def test_ends_of_everybody_are_counted_on(place, stores, drive):
    """Two servers that end everybody make two generations, whoever knew of the other's."""
    for number in (1, 2, 3, 4):
        drive(stores[number % 2].end_everybody())
        assert generation(place) == [(number,)]
