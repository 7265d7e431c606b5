"""What ``sessile doctor`` asks a Postgres server: what loses sessions there, or lets people in."""

import ipaddress
from typing import Final

from sessile.errors import StoreUnavailable
from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.postgres_table import (
    COLUMNS,
    advice_on_layout,
    advice_on_missing,
    advice_on_rights,
    quote_name,
)
from sessile.stores.postgres_url import PostgresPlace
from sessile.wire.postgres.client import PostgresClient
from sessile.wire.postgres.endpoint import PostgresEndpoint
from sessile.wire.postgres.statement import Row, Statement, Type

_TRUE: Final = "true"
_SERVER: Final = Statement(
    b"""SELECT current_setting('server_version'), pg_is_in_recovery()::text,
    current_setting('default_transaction_read_only'), current_setting('fsync'),
    current_setting('synchronous_commit'), current_setting('autovacuum'),
    (SELECT rolsuper::text FROM pg_roles WHERE rolname = current_user), current_user::text,
    coalesce((SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()), 'false'),
    coalesce(host(inet_server_addr()), ''), current_setting('max_connections')"""
)
_TABLE: Final = Statement(
    b"""SELECT relpersistence::text, has_table_privilege(oid, 'SELECT')::text,
    (has_table_privilege(oid, 'INSERT') AND has_table_privilege(oid, 'UPDATE')
        AND has_table_privilege(oid, 'DELETE'))::text,
    EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0)::text
    FROM pg_class WHERE oid = to_regclass($1)""",
    (Type.TEXT,),
)
_LAYOUT: Final = Statement(
    b"""SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped""",
    (Type.TEXT,),
)


async def diagnose(client: PostgresClient, place: PostgresPlace) -> list[Finding]:
    """Look at the server, and at the table."""
    ((server,),) = await client.ask("postgres settings", _SERVER.bind(), is_harmless=True)
    (
        version, standby, read_only, fsync, commit, autovacuum, superuser, user, tls, address, most,
    ) = _texts(server)  # fmt: skip
    return [
        fine("version", version),
        _judge_role(standby, read_only),
        _judge_disk(fsync, commit),
        *await _judge_table(client, place),
        _judge_vacuum(autovacuum),
        _judge_connections(place.endpoint, most),
        _judge_user(user, superuser),
        _judge_access(place.endpoint, address),
        _judge_network(place.endpoint, tls, address),
    ]


async def check_layout(client: PostgresClient, table: str) -> None:
    """Do nothing where the table has the columns that it should have.

    Raises:
        StoreUnavailable: it has others, and what to write.
    """
    name = quote_name(table)
    (rows,) = await client.ask("postgres layout", _LAYOUT.bind(name), is_harmless=True)
    found = dict(map(_texts, rows))
    strange = [column for column, kind in COLUMNS.items() if found.get(column) != kind]
    if strange:
        raise StoreUnavailable(
            client.name,
            f"the table {table} has no column {strange[0]} {COLUMNS[strange[0]]}: "
            f"{advice_on_layout(table)}",
        )


def _judge_role(standby: str, read_only: str) -> Finding:
    if standby == _TRUE:
        return wrong(
            "role",
            "this is a standby, which takes no login and answers late: write the primary's address,"
            " or all hosts with commas between them",
        )
    if read_only == "on":
        return wrong(
            "role",
            "default_transaction_read_only is on, so no login is stored: ALTER ROLE ... SET "
            "default_transaction_read_only = off",
        )
    return fine("role", "this is the primary")


def _judge_disk(fsync: str, commit: str) -> Finding:
    if fsync == "off":
        return wrong(
            "disk",
            "fsync is off: a crash of the machine may destroy the database; write fsync = on",
        )
    if commit == "off":
        return note(
            "disk",
            "synchronous_commit is off: a crash brings back what was ended in the last second; "
            "write ALTER ROLE ... SET synchronous_commit = on where that is too much",
        )
    return fine("disk", f"synchronous_commit {commit}: what was acknowledged outlives a crash")


async def _judge_table(client: PostgresClient, place: PostgresPlace) -> list[Finding]:
    table, name = place.table, quote_name(place.table)
    (rows,) = await client.ask("postgres table", _TABLE.bind(name), is_harmless=True)
    if not rows:
        return [wrong("table", advice_on_missing(table))]
    kind, may_read, may_write, is_public = _texts(rows[0])
    if _TRUE not in (may_read, may_write) or may_read != may_write:
        return [
            wrong("table", f"this user may not read and write {table}: {advice_on_rights(table)}")
        ]
    try:
        await check_layout(client, table)
    except StoreUnavailable as error:
        return [wrong("table", error.why)]
    if is_public == _TRUE:
        text = f"PUBLIC has rights on {table}: every user of the database sees or ends sessions; "
        return [wrong("table", f"{text}write REVOKE ALL ON {name} FROM PUBLIC")]
    return [_judge_log(table, kind == "p", place.logged)]


def _judge_log(table: str, is_logged: bool, is_meant: bool) -> Finding:
    if is_logged and is_meant:
        return fine("table", f"{table}, logged")
    if is_logged:
        return note(
            "table",
            f"{table} is logged, though the URL says logged=no: write ALTER TABLE "
            f"{quote_name(table)} SET UNLOGGED, or drop the option",
        )
    return note(
        "table",
        f"{table} is unlogged: a crash of the server, or a fail-over, ends every session",
    )


def _judge_vacuum(autovacuum: str) -> Finding:
    if autovacuum == "on":
        return fine("vacuum", "autovacuum is on")
    return wrong("vacuum", "autovacuum is off: the table grows without end; write autovacuum = on")


def _judge_connections(endpoint: PostgresEndpoint, most: str) -> Finding:
    number = int(most) // endpoint.most
    text = (
        f"{endpoint.most} at most of each worker (?connections=), and the server has {most}: "
        f"enough for {number} workers, or for more behind a pooler"
    )
    return (fine if number > 1 else note)("pool", text)


def _judge_user(user: str, superuser: str) -> Finding:
    if superuser == _TRUE:
        return note(
            "user",
            f"{user} is a superuser: whoever takes over the application has the whole server; "
            "write CREATE ROLE ... LOGIN and grant it the table",
        )
    return fine("user", f"{user} is no superuser")


def _judge_access(endpoint: PostgresEndpoint, address: str) -> Finding:
    if endpoint.password is not None or "sslcert" in endpoint.options:
        return fine("access", "the URL has a password or a certificate")
    if not address or _is_loopback(address):
        return fine("access", "without a password in the URL, from this host")
    return note(
        "access",
        "the URL has no password: it comes from PGPASSWORD or a password file, or else the server "
        "lets everybody in, and wants scram-sha-256 in pg_hba.conf",
    )


def _judge_network(endpoint: PostgresEndpoint, tls: str, address: str) -> Finding:
    if not address:
        return fine("network", "a socket of this host")
    if tls == _TRUE and endpoint.options.get("sslmode") in ("verify-full", "verify-ca"):
        return fine("network", "TLS; the server's certificate is verified")
    if _is_loopback(address):
        return fine("network", "this host")
    what = "TLS, but the server's certificate is not verified" if tls == _TRUE else "plain text"
    return note(
        "network",
        f"{what}: whoever is on the way reads and changes what records show; write "
        "?sslmode=verify-full and sslrootcert=, unless the network is yours alone",
    )


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def _texts(row: Row) -> list[str]:
    return ["" if value is None else value.decode("utf-8", "replace") for value in row]
