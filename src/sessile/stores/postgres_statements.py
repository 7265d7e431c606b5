"""What ``stores.postgres`` asks its server, each act as one transaction in one trip.

Statements see what is current when they begin (READ COMMITTED), so what has to count what rivals
stored, a login and an end of a user's sessions, is two: the first takes the lock of the user, the
second acts. That second one is not performed when it is late: see ``server_clock``.

The generation is read within each statement, so the rows that it sees are of one: nothing is locked
for that, and a row that a rival stores while everybody ends was made before, or after.
"""

from typing import Final

from sessile.core.record import FORMAT
from sessile.stores.contract import MOST_ENDED, PAGE_BYTES, Record
from sessile.stores.excess import MOST_DEAD
from sessile.stores.postgres_table import COLUMNS, LOCK, MARKER, quote_name
from sessile.wire.postgres.statement import Statement, Type

_BYTES, _INTEGER, _TEXT, _FLOAT, _TEXTS = (
    Type.BYTES, Type.INTEGER, Type.TEXT, Type.FLOAT, Type.TEXTS,
)  # fmt: skip

_KEY_LENGTH: Final = 20
_START: Final = b"\xdc%b%b%b" % (
    len(Record.__struct_fields__).to_bytes(2, "big"),
    bytes((FORMAT,)),
    bytes((0xA0 | _KEY_LENGTH,)),
)
"""How the bytes of a record begin, before its key: an array, its format, a text of that length."""

_SOUND: Final = (
    f"substring(s.blob FROM 1 FOR {len(_START) + _KEY_LENGTH}) = "
    f"'\\x{_START.hex()}'::bytea || convert_to(s.key, 'UTF8')"
)

_COLUMNS: Final = ", ".join(COLUMNS)
_RENEWED: Final = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[1:])

LOCK_OWNERS: Final = Statement(
    b"SELECT pg_advisory_xact_lock($1), pg_advisory_xact_lock($2)", (_INTEGER, _INTEGER)
)
BEGIN: Final = Statement(b"BEGIN ISOLATION LEVEL READ COMMITTED")
END: Final = Statement(b"COMMIT")
TIME: Final = Statement(b"SELECT extract(epoch FROM clock_timestamp())::float8")
LOCK_TABLE: Final = Statement(b"SELECT pg_advisory_xact_lock($1)", (_INTEGER,))


class Statements:
    """The statements about one table.

    Args:
        table: its name; a schema may stand before it.
    """

    def __init__(self, table: str) -> None:
        self._table = name = quote_name(table)
        current = f"SELECT coalesce((SELECT version FROM {name} WHERE key = '{MARKER}'), 0)"
        self._current = f"({current})"
        self._gen = f"gen AS MATERIALIZED ({current} AS g)"
        # answers the current generation, and the row where there is one
        self.read = self._statement(
            f"SELECT s.blob, s.version, s.owner, gen.g FROM ({current} AS g) gen "
            f"LEFT JOIN {name} s ON s.key = $1 AND s.generation = gen.g",
            _TEXT,
        )
        self.create = self._create()
        self.commit = self._statement(
            f"UPDATE {name} s SET version = $3, expires = $4, due = least(s.due, $4), "
            "unclaimed = $5, blob = $6 WHERE s.key = $1 AND s.version = $2 "
            f"AND s.generation = {self._current} "
            "AND substring(s.blob FROM 1 FOR octet_length($7)) = $7 RETURNING 1",
            _TEXT, _INTEGER, _INTEGER, _FLOAT, _FLOAT, _BYTES, _BYTES,
        )  # fmt: skip
        self.delete = self._statement(
            f"DELETE FROM {name} s WHERE s.key = $1 "
            f"RETURNING s.blob, s.generation = {self._current}",
            _TEXT,
        )
        self.leave = self._leave()
        self.replace = self._replace(limited=False)
        self.replace_limited = self._replace(limited=True)
        self.owned = self._owned_by()
        self.delete_owned = self._delete_owned()
        self.scan = self._scan()
        self.count = self._statement(self._count_text(), _INTEGER)
        self.size = self._size()
        self.sweep = self._sweep()
        self.end_everybody = self._begin("true")
        self.begin_behind = self._begin(f"{name}.version < $1")

    def _statement(self, text: str, *types: Type) -> Statement:
        return Statement(text.encode(), types)

    # $1 the newest generation that was seen. Its commit waits for the disk. Answers the new one.
    def _begin(self, where: str) -> Statement:
        name, setting = self._table, "current_setting('synchronous_commit')"
        return self._statement(
            f"INSERT INTO {name} ({_COLUMNS}) "
            f"SELECT '{MARKER}', 0, $1 + 1, 'infinity', 'infinity', "
            "NULL, NULL, NULL, '' WHERE set_config('synchronous_commit', "
            f"CASE {setting} WHEN 'off' THEN 'on' ELSE {setting} END, true) IS NOT NULL "
            f"ON CONFLICT (key) DO UPDATE SET version = greatest({name}.version, $1) + 1 "
            f"WHERE {where} RETURNING version",
            _INTEGER,
        )

    # $1 key, $2 version, $3 expires, $4 unclaimed, $5 blob
    def _create(self) -> Statement:
        return self._statement(
            f"INSERT INTO {self._table} AS s ({_COLUMNS}) "
            f"VALUES ($1, {self._current}, $2, $3, $3, $4, NULL, NULL, $5) "
            f"ON CONFLICT (key) DO UPDATE SET {_RENEWED} "
            "WHERE s.generation <> excluded.generation RETURNING 1",
            _TEXT, _INTEGER, _FLOAT, _FLOAT, _BYTES,
        )  # fmt: skip

    # $1 key; $2 version, $3 expires, $4 blob of what is left
    def _leave(self) -> Statement:
        return self._statement(
            f"""WITH {self._gen}, last AS MATERIALIZED (
    SELECT s.key, s.blob FROM {self._table} s, gen WHERE s.key = $1 AND s.generation = gen.g
    FOR UPDATE OF s
)
UPDATE {self._table} s SET version = $2, expires = $3, due = least(s.due, $3), unclaimed = NULL,
    owner = NULL, claim = NULL, blob = $4
FROM last WHERE s.key = last.key RETURNING last.blob, true""",
            _TEXT, _INTEGER, _FLOAT, _BYTES,
        )  # fmt: skip

    # $1 key, $2 version, $3 expires, $4 unclaimed, $5 owner, $6 blob of the new one; $7 until when
    # this is wanted; $8 key, $9 version, $10 beginning of the old one; $11 version, $12 expires,
    # $13 blob of its tombstone. With a limit: $14 now, $15 the limit, $16 what happens there.
    # Answers rows of: verdict, whether it is stored, blob, version and owner of the old one as it
    # is, the oldest that stays, the key of one that ended.
    def _replace(self, *, limited: bool) -> Statement:
        types = [
            _TEXT, _INTEGER, _FLOAT, _FLOAT, _BYTES, _BYTES, _FLOAT,
            _TEXT, _INTEGER, _BYTES, _INTEGER, _FLOAT, _BYTES,
        ]  # fmt: skip
        types += [_FLOAT, _INTEGER, _INTEGER] if limited else []
        name = self._table
        return self._statement(
            f"""WITH {self._gen},
old AS MATERIALIZED (
    SELECT s.blob, s.version, s.owner,
        s.version = $9 AND substring(s.blob FROM 1 FOR octet_length($10)) = $10 AS same
    FROM {name} s, gen WHERE s.key = $8 AND s.generation = gen.g FOR UPDATE OF s
),
{self._limit() if limited else _NO_LIMIT},
stored AS (
    INSERT INTO {name} AS s ({_COLUMNS})
    SELECT $1, gen.g, $2, $3, $3, $4, CASE WHEN $5 IS NOT NULL THEN
        (SELECT coalesce(max(claim), 0) + 1 FROM {name} WHERE owner = $5) END, $5, $6
    FROM gen, verdict WHERE verdict.answer = 'go'
    ON CONFLICT (key) DO UPDATE SET {_RENEWED} WHERE s.generation <> excluded.generation
    RETURNING 1
),
left_behind AS (
    UPDATE {name} s SET version = $11, expires = $12, due = least(s.due, $12), unclaimed = NULL,
        owner = NULL, claim = NULL, blob = $13
    FROM stored WHERE s.key = $8 AND $13 IS NOT NULL
),
removed AS (
    DELETE FROM {name} s USING stored WHERE s.key = $8 AND $13 IS NULL
),
ended AS (
    DELETE FROM {name} s USING victims, stored WHERE s.key = victims.key RETURNING s.key
)
SELECT verdict.answer, EXISTS (SELECT FROM stored), old.blob, old.version, old.owner, verdict.rest,
    victims.key
FROM verdict LEFT JOIN old ON verdict.answer = 'changed'
LEFT JOIN victims ON victims.key IN (SELECT key FROM ended)
ORDER BY victims.place""",
            *types,
        )

    def _limit(self) -> str:
        """Return the part that chooses who ends: see ``stores.excess``, which says the same."""
        return f"""entries AS MATERIALIZED (
    SELECT s.key, s.claim, octet_length(s.blob) AS size,
        CASE WHEN NOT ({_SOUND} AND s.version > 0 AND s.expires > $14) THEN 'dead'
            WHEN s.unclaimed <= $14 THEN 'nobodys' ELSE 'held' END AS state
    FROM {self._table} s, gen
    WHERE s.owner = $5 AND s.generation = gen.g AND s.key IS DISTINCT FROM $8
    ORDER BY s.claim DESC LIMIT $15 + {MOST_DEAD} + 1
),
ranked AS (
    SELECT *, row_number() OVER newest AS place,
        count(*) FILTER (WHERE state = 'held') OVER newest AS nth
    FROM entries WINDOW newest AS (ORDER BY claim DESC ROWS UNBOUNDED PRECEDING)
),
seen AS MATERIALIZED (
    SELECT * FROM ranked WHERE place <= $15 + {MOST_DEAD}
        AND nth - (state = 'held')::int < $15 + {MOST_ENDED}
),
counted AS (
    SELECT count(*) FILTER (WHERE state = 'held') AS held,
        (SELECT count(*) FROM entries) > count(*) AS is_cut,
        (SELECT count(*) FROM entries) >= $15 AS is_many
    FROM seen
),
sized AS (
    SELECT *, CASE WHEN held < $15 THEN 0 WHEN $16 = 1 THEN held ELSE held + 1 - $15 END AS excess
    FROM counted
),
verdict AS MATERIALIZED (
    SELECT CASE
        WHEN $8 IS NOT NULL AND NOT EXISTS (SELECT FROM old WHERE same) THEN 'changed'
        WHEN clock_timestamp() >= to_timestamp($7) THEN 'late'
        WHEN is_cut AND held < $15 THEN 'crowded'
        WHEN $16 = 2 AND excess > 0 THEN 'full'
        ELSE 'go' END AS answer,
        held, excess, is_many,
        CASE WHEN is_cut OR excess > {MOST_ENDED} THEN
            coalesce((SELECT key FROM seen WHERE state = 'held' AND nth = held - excess), $1) END
        AS rest
    FROM sized
),
victims AS MATERIALIZED (
    SELECT key, row_number() OVER () AS place FROM (
        SELECT seen.key FROM seen, verdict
        WHERE verdict.answer = 'go' AND ((state = 'held' AND nth > held - excess)
            OR (state = 'nobodys' AND is_many))
        ORDER BY state, CASE WHEN state = 'held' THEN -nth ELSE -claim END
        LIMIT {MOST_ENDED}
    ) chosen
),
cleared AS (
    DELETE FROM {self._table} s USING (
        SELECT key, sum(size) OVER (ORDER BY claim) - size AS before
        FROM seen, verdict WHERE verdict.answer = 'crowded' AND state <> 'held'
    ) dead
    WHERE s.key = dead.key AND dead.before < {PAGE_BYTES}
)"""

    # $1 owner, $2 the claim to begin behind, $3 how many
    def _owned_by(self) -> Statement:
        return self._statement(
            f"""WITH {self._gen}
SELECT key, blob, version, owner, claim FROM (
    SELECT *, sum(octet_length(blob)) OVER (ORDER BY claim) - octet_length(blob) AS before FROM (
        SELECT s.key, s.blob, s.version, s.owner, s.claim FROM {self._table} s, gen
        WHERE s.owner = $1 AND s.generation = gen.g AND s.claim > $2 ORDER BY s.claim LIMIT $3
    ) found
) page WHERE before < {PAGE_BYTES} ORDER BY claim""",
            _BYTES, _INTEGER, _INTEGER,
        )  # fmt: skip

    # $1 owner, $2 keys that stay, $3 the session that they came before, $4 how many, $5 until when
    # this is wanted. Answers rows of: whether it came in time, key, size, whether it was removed.
    def _delete_owned(self) -> Statement:
        name = self._table
        return self._statement(
            f"""WITH {self._gen},
timing AS MATERIALIZED (SELECT clock_timestamp() < to_timestamp($5) AS good),
page AS MATERIALIZED (
    SELECT key, claim, size FROM (
        SELECT *, sum(size) OVER (ORDER BY claim) - size AS before FROM (
            SELECT s.key, s.claim, octet_length(s.blob) AS size FROM {name} s, gen, timing
            WHERE timing.good AND s.owner = $1 AND s.generation = gen.g AND s.key <> ALL ($2)
                AND ($3 IS NULL OR s.claim < (
                    SELECT claim FROM {name} WHERE key = $3 AND owner = $1 AND generation = gen.g))
            ORDER BY s.claim LIMIT $4
        ) found
    ) sized WHERE before < {PAGE_BYTES}
),
gone AS (
    DELETE FROM {name} s USING page WHERE s.key = page.key AND s.owner = $1 RETURNING s.key
)
SELECT timing.good, page.key, page.size, gone.key IS NOT NULL
FROM timing LEFT JOIN page ON true LEFT JOIN gone ON gone.key = page.key ORDER BY page.claim""",
            _BYTES, _TEXTS, _TEXT, _INTEGER, _FLOAT,
        )  # fmt: skip

    # $1 the key to begin behind, $2 how many
    def _scan(self) -> Statement:
        return self._statement(
            f"""WITH {self._gen}
SELECT key, blob, version, owner FROM (
    SELECT *, sum(octet_length(blob)) OVER (ORDER BY key) - octet_length(blob) AS before FROM (
        SELECT s.key, s.blob, s.version, s.owner FROM {self._table} s, gen
        WHERE s.key > $1 AND s.generation = gen.g AND s.key <> '{MARKER}' ORDER BY s.key LIMIT $2
    ) found
) page WHERE before < {PAGE_BYTES} ORDER BY key""",
            _TEXT, _INTEGER,
        )  # fmt: skip

    # $1 how many are counted one by one; of more the server's estimate is good enough
    def _count_text(self) -> str:
        return f"""SELECT CASE WHEN number < $1 THEN number ELSE greatest(number,
    (SELECT reltuples::bigint FROM pg_class WHERE oid = '{self._table}'::regclass)) END
FROM (SELECT count(*) AS number FROM (
    SELECT 1 FROM {self._table} WHERE key <> '{MARKER}' LIMIT $1) found) counted"""

    # $1 as above. Answers the bytes as well: of the table, its indexes, and what is large
    def _size(self) -> Statement:
        taken = f"pg_total_relation_size('{self._table}'::regclass)"
        return self._statement(f"SELECT ({self._count_text()}), {taken}", _INTEGER)

    # $1 now, $2 how many. Answers how many were removed, and how many were due and live still.
    # Rows that somebody is at work on are passed over.
    def _sweep(self) -> Statement:
        name = self._table
        return self._statement(
            f"""WITH {self._gen},
found AS MATERIALIZED (
    SELECT s.key, s.due, octet_length(s.blob) AS size,
        s.expires <= $1 OR s.generation <> gen.g AS is_dead
    FROM {name} s, gen WHERE s.due <= $1 ORDER BY s.due LIMIT $2 FOR UPDATE OF s SKIP LOCKED
),
page AS MATERIALIZED (
    SELECT key, is_dead FROM (
        SELECT *, sum(size) OVER (ORDER BY due, key) - size AS before FROM found
    ) sized WHERE before < {PAGE_BYTES}
),
deferred AS (
    UPDATE {name} s SET due = s.expires FROM page WHERE s.key = page.key AND NOT is_dead RETURNING 1
),
gone AS (
    DELETE FROM {name} s USING page WHERE s.key = page.key AND is_dead RETURNING 1
)
SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM deferred)""",
            _FLOAT, _INTEGER,
        )  # fmt: skip


_NO_LIMIT: Final = """verdict AS MATERIALIZED (
    SELECT CASE
        WHEN $8 IS NOT NULL AND NOT EXISTS (SELECT FROM old WHERE same) THEN 'changed'
        WHEN clock_timestamp() >= to_timestamp($7) THEN 'late'
        ELSE 'go' END AS answer, NULL::text AS rest
),
victims AS (SELECT NULL::text AS key, 0 AS place WHERE false)"""

TABLE_LOCK: Final = LOCK_TABLE.bind(LOCK)
