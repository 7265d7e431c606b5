"""``sessile init``: the table of a database, made or printed."""

import pytest

from harness.postgres_server import shared_postgres


@pytest.fixture
def url(fresh_database):
    """An empty database, given time on a busy machine."""
    return f"{shared_postgres().url_of(fresh_database)}?timeout=30"


def test_init_makes_the_table_once(sessile, url):
    """The first time it is made, the second time it is there, and both are good."""
    first, second = sessile("--url", url, "init"), sessile("--url", url, "init")

    assert (first.exit_code, first.output) == (0, "made sessile_session\n")
    assert (second.exit_code, second.output) == (0, "sessile_session is there already\n")


def test_printed_statements_make_the_same_table(sessile, url, fresh_database):
    """What is reviewed is what would be done, and nothing is connected for it."""
    printed = sessile("--url", "postgresql://nobody@127.0.0.1:1/no?logged=no", "init", "--print")
    assert printed.exit_code == 0
    assert "CREATE UNLOGGED TABLE" in printed.output
    shared_postgres().ask(printed.output, database=fresh_database)

    assert sessile("--url", url, "init").output == "sessile_session is there already\n"
    assert sessile("--url", url, "list").exit_code == 0


def test_init_makes_a_table_tell_of_its_changes(sessile, url, fresh_database):
    """A table from before keeps its rows; what was made by hand is as good."""
    assert sessile("--url", url, "init").exit_code == 0
    told = f"{url}&feed=yes"
    first, second = sessile("--url", told, "init"), sessile("--url", told, "init")
    assert first.output == "made the triggers of sessile_session\n"
    assert second.output == "sessile_session is there already\n"

    shared_postgres().ask("DROP TABLE sessile_session", database=fresh_database)
    printed = sessile("--url", told, "init", "--print")
    shared_postgres().ask(printed.output, database=fresh_database)
    assert sessile("--url", told, "init").output == "sessile_session is there already\n"


def test_table_of_another_kind_is_told(sessile, url, fresh_database):
    """A table that was made by somebody else is named, with the column that it lacks."""
    shared_postgres().ask(
        "CREATE TABLE sessile_session (key text, generation int)", database=fresh_database
    )
    refused = sessile("--url", url, "init")

    assert refused.exit_code == 2
    assert "has no column generation bigint" in refused.stderr
    assert "?table=" in refused.stderr


def test_other_stores_need_nothing(sessile):
    """A store without a table says so."""
    sessile("keygen")
    done = sessile("--url", "redis://127.0.0.1:1/0", "init")

    assert (done.exit_code, done.output) == (
        0,
        "redis://127.0.0.1:1/0 needs no table: nothing to do\n",
    )
