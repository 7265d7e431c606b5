"""What makes a Postgres table tell of its changes, and the connection that hears it.

The table tells by itself, by triggers: so does each writer, one whose URL does not say
``feed=yes`` as well, an application of yesterday, and a ``DELETE`` by hand. It costs no trip.
``wire.postgres.feed`` says why nothing is passed over.
"""

from collections.abc import Callable
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import StoreUnavailable
from sessile.stores.finding import Finding, fine, wrong
from sessile.stores.postgres_table import COLUMNS, MARKER, advice_on_missing, quote_name
from sessile.wire.postgres.client import PostgresClient
from sessile.wire.postgres.feed import Beat, PostgresFeedConnection
from sessile.wire.postgres.listener import PostgresListener
from sessile.wire.postgres.statement import Query, Row, Statement, Type, integer

TRIGGER: Final = "sessile_feed"
TRUNCATE_TRIGGER: Final = "sessile_feed_truncate"

_CHANNEL: Final = "sessile_"
"""How the channel of a table begins; its number follows, which no other table of the database has,
however the name of either is written."""

MOST_STALLED: Final[Seconds] = 10.0
"""How long the server waits for a process that takes nothing of what it is told, as a stopped one,
before it hangs up. Else that would hold up its vacuum, and fill the queue of all who notify."""

_SILENT: Final = frozenset(("due", "claim"))
"""The columns that say nothing of a session: a sweep moves the first one."""

_BODY: Final = f"""
DECLARE
    channel CONSTANT text := '{_CHANNEL}' || TG_RELID;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        PERFORM pg_notify(channel, '{MARKER}');
    ELSIF TG_OP = 'INSERT' THEN
        PERFORM pg_notify(channel, NEW.key);
    ELSE
        PERFORM pg_notify(channel, OLD.key);
        IF TG_OP = 'UPDATE' AND NEW.key <> OLD.key THEN
            PERFORM pg_notify(channel, NEW.key);
        END IF;
    END IF;
    RETURN NULL;
END
"""

_MARK: Final = f"""(
    SELECT string_agg(concat_ws(' ', t.oid, t.xmin, p.oid, p.xmin), ', ' ORDER BY t.oid)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE t.tgrelid = to_regclass($1) AND t.tgname IN ('{TRIGGER}', '{TRUNCATE_TRIGGER}')
        AND t.tgenabled = 'A' AND ($2 IS NULL OR p.prosrc = $2)
    HAVING count(*) = 2)"""
"""The triggers of the table, by numbers that differ once anybody has changed one. NULL where one is
missing, does not always fire, or does something else."""

# $1 the table, $2 what its triggers do
_LOOK: Final = Statement(
    f"SELECT to_regclass($1)::oid::bigint, pg_backend_pid()::bigint, {_MARK}".encode(),
    (Type.TEXT, Type.TEXT),
)
# $1 the table, $2 NULL, $3 the channel
_BEAT: Final = Statement(
    f"SELECT pg_notify($3, ''), {_MARK}".encode(), (Type.TEXT, Type.TEXT, Type.TEXT)
)

_STALL: Final = Statement(b"SELECT set_config('tcp_user_timeout', $1, false)", (Type.TEXT,))


def feed_definition(table: str) -> tuple[str, ...]:
    """Return the statements that make a table tell of its changes, whether or not it did.

    The triggers fire for what replication writes as well: ``ENABLE ALWAYS``.
    """
    name, function = quote_name(table), quote_name(f"{table}_feed")
    columns = ", ".join(column for column in COLUMNS if column not in _SILENT)
    return (
        f"""CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql
AS $feed${_BODY}$feed$""",
        f"DROP TRIGGER IF EXISTS {TRIGGER} ON {name}",
        f"DROP TRIGGER IF EXISTS {TRUNCATE_TRIGGER} ON {name}",
        f"""CREATE TRIGGER {TRIGGER} AFTER INSERT OR DELETE OR UPDATE
    OF {columns}
    ON {name} FOR EACH ROW EXECUTE FUNCTION {function}()""",
        f"""CREATE TRIGGER {TRUNCATE_TRIGGER} AFTER TRUNCATE
    ON {name} FOR EACH STATEMENT EXECUTE FUNCTION {function}()""",
        f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {TRIGGER}",
        f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER {TRUNCATE_TRIGGER}",
    )


class PostgresFeed:
    """The feed of one table.

    Args:
        client: asks the database.
        table: its name; a schema may stand before it.
    """

    def __init__(self, client: PostgresClient, table: str) -> None:
        self._client = client
        self._table = table
        self._name = quote_name(table)

    def open(
        self, timer: Callable[[], Seconds], make_table: Callable[[], object]
    ) -> PostgresFeedConnection:
        """Connect, on this thread; make the table where there is none.

        Raises:
            StoreUnavailable: it cannot be listened to, and what to write instead.
        """
        listener = self._client.open_listener()
        try:
            ((row,),) = listener.ask(self._look())
            if row[0] is None:
                make_table()
                ((row,),) = listener.ask(self._look())
            return self._listen(listener, row, timer)
        except BaseException:
            listener.close()
            raise

    async def is_told(self) -> bool:
        """Tell whether the table tells of every change."""
        ((row,),) = await self._client.ask("postgres feed", self._look(), is_harmless=True)
        return row[2] is not None

    async def diagnose(self) -> Finding:
        """Look whether the table tells of every change."""
        if await self.is_told():
            return fine("feed", f"{self._table} tells of every change")
        return wrong("feed", self._advice())

    def _look(self) -> Query:
        return _LOOK.bind(self._name, _BODY)

    def _listen(
        self, listener: PostgresListener, row: Row, timer: Callable[[], Seconds]
    ) -> PostgresFeedConnection:
        if row[0] is None:
            raise StoreUnavailable(self._client.name, advice_on_missing(self._table))
        table, pid, mark = integer(row[0]), integer(row[1]), row[2]
        if pid != listener.backend_pid:
            raise StoreUnavailable(
                self._client.name,
                "a pooler as PgBouncer answers there, which hands connections round, so that "
                "notifications are lost on the way: write the server's own host and port, or leave "
                "out feed=yes",
            )
        if mark is None:
            raise StoreUnavailable(self._client.name, self._advice())
        channel = f"{_CHANNEL}{table}"
        pulse = f"{channel}_{pid}"
        stall = _STALL.bind(str(int(MOST_STALLED * 1000)))
        listens = (Statement(f"LISTEN {one}".encode()).bind() for one in (channel, pulse))
        listener.ask(stall, *listens)
        query = _BEAT.bind(self._name, None, pulse)

        def check(rows: list[Row]) -> None:
            if rows[0][1] != mark:
                raise StoreUnavailable(
                    self._client.name,
                    f"the triggers of {self._table} were changed, so something may not be told",
                )

        return PostgresFeedConnection(listener, channel, Beat(query, check, pulse, pid), timer)

    def _advice(self) -> str:
        return (
            f"the table {self._table} does not tell of its changes: run sessile init with this URL "
            "as a user who owns it, or hand those lines of sessile init --print to its owner that "
            "make the triggers; or leave out feed=yes"
        )
