"""The triggers by which a Postgres table tells of its changes: without them nobody listens."""

import pytest

from harness.feeds import wait_for_end
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.postgres import PostgresStore
from sessile.testing.promises.feeds import hear_until_now, listen
from sessile.testing.sample import key, record

MUTE = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"


def mine(server, options=""):
    """Return the URL of a table of this test's own."""
    return f"{server.url_of('fresh')}?timeout=30&table=mine{options}"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TRIGGER sessile_feed ON mine",),
        ("ALTER TABLE mine DISABLE TRIGGER sessile_feed_truncate",),
        (
            "ALTER TABLE mine DISABLE TRIGGER ALL",
            "ALTER TABLE mine ENABLE ALWAYS TRIGGER sessile_feed",
            "ALTER TABLE mine ENABLE ALWAYS TRIGGER sessile_feed_truncate",
        ),
        ("ALTER TABLE mine RENAME TO mine_gone",),
    ],
)
def test_table_that_tells_no_more_ends_its_feeds(postgres_server, fresh_database, statements):
    """What was written meanwhile is told by nobody, though the triggers are there again."""
    store = PostgresStore.from_url(mine(postgres_server, "&feed=yes"))
    feed = listen(store)
    hear_until_now(feed)
    with postgres_server.connect(dbname=fresh_database) as somebody, somebody.transaction():
        for statement in statements:
            somebody.execute(statement)

    assert "triggers of mine were changed" in wait_for_end(feed)
    feed.close()
    run(store.close())


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER sessile_feed_truncate ON mine",
        "ALTER TABLE mine DISABLE TRIGGER sessile_feed",
        "ALTER TABLE mine ENABLE TRIGGER sessile_feed",
        f"CREATE OR REPLACE FUNCTION mine_feed() {MUTE}",
    ],
)
def test_table_that_does_not_tell_has_no_feed(postgres_server, fresh_database, statement):
    """Where a change might go untold nobody listens, and reads what to run; then all is well."""
    store = PostgresStore.from_url(mine(postgres_server, "&feed=yes"))
    assert run(store.make_table())
    postgres_server.ask(statement, database=fresh_database)
    with pytest.raises(StoreUnavailable, match=r"mine does not tell .* run sessile init"):
        listen(store)

    assert run(store.make_table())
    assert not run(store.make_table())
    listen(store).close()
    run(store.close())


def test_table_from_before_tells_once_it_was_told_to(postgres_server, fresh_database):
    """A table that was made without a feed keeps its rows, and init gives it the triggers."""
    old = PostgresStore.from_url(mine(postgres_server))
    run(old.create(record("a")))
    store = PostgresStore.from_url(mine(postgres_server, "&feed=yes"))
    with pytest.raises(StoreUnavailable, match="sessile init"):
        listen(store)

    run(store.make_table())
    feed = listen(store)
    run(old.delete(key("a")))
    assert hear_until_now(feed) == {key("a")}
    feed.close()
    for each in (old, store):
        run(each.close())
