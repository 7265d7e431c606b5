"""The one table of ``stores.postgres``: what makes it, and what is written where it cannot be used.

A record is a row. The columns beside its bytes are what statements look for:

- ``generation``: that of ``end_everybody`` in which it was made. The current one is the ``version``
  of the row ``@generation``; a row of an older one is as if it were not there.
- ``expires``: when its time is over. ``due`` is a lower bound of that, with an index: a commit that
  moves the deadline later leaves it alone, so that no index has to be written (a HOT update).
- ``unclaimed``: from when on it is nobody's, while no client has shown its ticket.
- ``owner``: a digest of the user's key, with ``claim``, the number of the login among theirs.
"""

import re
from typing import Final

from sessile.errors import StoreUnavailable
from sessile.wire.postgres.endpoint import ServerError

TABLE: Final = "sessile_session"
"""The table's name unless the URL says otherwise."""

MARKER: Final = "@generation"
"""The key of the row that has the current generation; no session has such a key."""

LOCK: Final = 0x5E551E
"""The advisory lock under which one process alone makes the table."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,47}(\.[A-Za-z_][A-Za-z0-9_]{0,47})?")

COLUMNS: Final = {
    "key": "text",
    "generation": "bigint",
    "version": "bigint",
    "expires": "double precision",
    "due": "double precision",
    "unclaimed": "double precision",
    "claim": "bigint",
    "owner": "bytea",
    "blob": "bytea",
}

_RULES: Final = {
    "": " NOT NULL",
    "key": ' COLLATE "C" PRIMARY KEY',
    **dict.fromkeys(("unclaimed", "claim", "owner"), ""),
}
_MISSING, _THERE, _RIGHTS = "42P01", "42P07", "42501"
_LAYOUT: Final = frozenset(("42703", "42804", "42883", "42P10", "42809", "22P03"))


def table_name(text: str) -> str:
    """Convert the option ``table``: a name, or a schema and a name."""
    if _NAME.fullmatch(text) is None:
        raise ValueError(
            "write letters, digits and underscores, 48 at most, as in sessions or web.sessions"
        )
    return text


def quote_name(table: str) -> str:
    """Return the table's name as it stands in SQL."""
    return ".".join(f'"{part}"' for part in table.split("."))


def definition(table: str, *, logged: bool) -> tuple[str, ...]:
    """Return the statements that make the table.

    A row is changed often and in place: the room that ``fillfactor`` leaves keeps a new version on
    the page of the old one, and rows that are sealed cannot be compressed.
    """
    name, plain = quote_name(table), table.rpartition(".")[2]
    columns = ",\n    ".join(
        f"{column} {kind}{_RULES.get(column, _RULES[''])}" for column, kind in COLUMNS.items()
    )
    return (
        f"""CREATE {"" if logged else "UNLOGGED "}TABLE {name} (
    {columns}
) WITH (
    fillfactor = 85,
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.5,
    autovacuum_vacuum_cost_delay = 1
)""",
        f"ALTER TABLE {name} ALTER COLUMN blob SET STORAGE EXTERNAL",
        f'CREATE INDEX "{plain}_due" ON {name} (due)',
        f'CREATE INDEX "{plain}_owner" ON {name} (owner, claim) WHERE owner IS NOT NULL',
    )


def is_missing(error: StoreUnavailable) -> bool:
    """Tell whether there is no such table."""
    return _code(error) == _MISSING


def is_there(error: StoreUnavailable) -> bool:
    """Tell whether there is one already."""
    return _code(error) == _THERE


def explain_missing(error: StoreUnavailable, table: str) -> StoreUnavailable:
    """Return the error of who could not make the table, with what is to be done."""
    return _with_advice(error, advice_on_missing(table))


def explain(error: StoreUnavailable, table: str) -> StoreUnavailable:
    """Return the error with what is to be written, where it is about the table."""
    code = _code(error)
    if code == _RIGHTS:
        return _with_advice(error, advice_on_rights(table))
    if code in _LAYOUT:
        return _with_advice(error, advice_on_layout(table))
    return error


def advice_on_missing(table: str) -> str:
    """Say how the table is made."""
    return (
        f"there is no table {table}, and this user could not make it; run sessile init as one who "
        "may, or hand the lines of sessile init --print to whoever does"
    )


def advice_on_rights(table: str) -> str:
    """Say how a user is let to the table."""
    return f"write GRANT SELECT, INSERT, UPDATE, DELETE ON {quote_name(table)} TO this user"


def advice_on_layout(table: str) -> str:
    """Say how to go on where the table is another one."""
    return (
        f"the table {table} is another application's, or of another version of sessile; name "
        "another with ?table=, or drop it and run sessile init: everybody has to log in again"
    )


def _with_advice(error: StoreUnavailable, advice: str) -> StoreUnavailable:
    explained = StoreUnavailable(error.store, f"{error.why}: {advice}")
    explained.__cause__ = error.__cause__
    return explained


def _code(error: StoreUnavailable) -> str:
    cause = error.__cause__
    return cause.code if isinstance(cause, ServerError) else ""
