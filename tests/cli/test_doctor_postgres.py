"""``sessile doctor`` looks at a Postgres server: what loses sessions, and what lets people in."""

from contextlib import suppress

import pytest

from harness.postgres_server import shared_postgres
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.finding import Mark
from sessile.stores.postgres import PostgresStore

SUBJECTS = ("version", "role", "disk", "table", "vacuum", "pool", "user", "access", "network")
TABLE = "sessile_session"
GRANT = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLE} TO stranger"


@pytest.fixture
def look(fresh_database):
    """Return what is found, by its subject, for a user and options, after some statements."""

    def look(*statements, user="stranger", options=""):
        url = shared_postgres().url_of(fresh_database) + "?timeout=30"
        maker = PostgresStore.from_url(url)
        run(maker.make_table())
        run(maker.close())
        for statement in (GRANT, *statements):
            shared_postgres().ask(statement, database=fresh_database)
        store = PostgresStore.from_url(url.replace("sessile@", f"{user}@") + options)
        with suppress(StoreUnavailable):  # from before a setting of the role
            run(store.ping())
        try:
            found = run(store.diagnose())
        finally:
            run(store.close())
        feed = ("feed",) if "feed=yes" in options else ()
        assert tuple(finding.subject for finding in found) == SUBJECTS + feed
        return {finding.subject: finding for finding in found}

    return look


def test_server_that_is_set_well_has_no_fault(look):
    """All that is left to say is what the server of tests leaves out for speed."""
    found = look("ALTER ROLE stranger SET synchronous_commit = on")

    strange = {name for name, finding in found.items() if finding.mark is not Mark.FINE}
    assert strange == {"disk", "vacuum"}
    assert "fsync is off" in found["disk"].message
    assert "autovacuum is off" in found["vacuum"].message


@pytest.mark.parametrize(
    ("statements", "how", "subject", "told"),
    [
        ((), {"user": "sessile"}, "user", (Mark.NOTE, "is a superuser")),
        ((f"DROP TABLE {TABLE}",), {}, "table", (Mark.WRONG, "sessile init --print")),
        ((f"REVOKE ALL ON {TABLE} FROM stranger",), {}, "table", (Mark.WRONG, "write GRANT")),
        ((f"REVOKE DELETE ON {TABLE} FROM stranger",), {}, "table", (Mark.WRONG, "write GRANT")),
        ((f"GRANT SELECT ON {TABLE} TO PUBLIC",), {}, "table", (Mark.WRONG, "REVOKE ALL ON")),
        ((f"ALTER TABLE {TABLE} DROP COLUMN due",), {}, "table", (Mark.WRONG, "no column due")),
        ((f"ALTER TABLE {TABLE} SET UNLOGGED",), {}, "table", (Mark.NOTE, "ends every session")),
        ((), {"options": "&logged=no"}, "table", (Mark.NOTE, "SET UNLOGGED, or drop the option")),
        ((), {"options": "&feed=yes"}, "feed", (Mark.WRONG, "run sessile init")),
        ((), {"options": "&connections=150"}, "pool", (Mark.NOTE, "enough for 1 workers")),
        (
            ("ALTER ROLE stranger SET default_transaction_read_only = on",),
            {},
            "role",
            (Mark.WRONG, "default_transaction_read_only"),
        ),
    ],
)
def test_doctor_says_what_is_wrong_and_what_to_write(look, statements, how, subject, told):
    """Each fault of a server, of its table, or of its user has a line."""
    finding = look(*statements, **how)[subject]

    assert finding.mark is told[0]
    assert told[1] in finding.message
