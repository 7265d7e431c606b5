"""URLs of the Postgres store: what they mean, and what is said of those that mean nothing."""

import pytest

from sessile.errors import ConfigError
from sessile.stores.postgres import PostgresStore
from sessile.stores.postgres_table import TABLE
from sessile.stores.postgres_url import place_of
from sessile.wire.postgres.endpoint import PostgresEndpoint, PostgresHost

SECRET = "correct-horse"


def meant(url):
    """Return what a URL sets beside the defaults."""
    place = place_of(url)
    usual = PostgresEndpoint("")
    found = {name: getattr(place.endpoint, name) for name in usual.__dataclass_fields__}
    changed = {
        name: value
        for name, value in found.items()
        if name != "name" and value != getattr(usual, name)
    }
    changed |= {} if place.table == TABLE else {"table": place.table}
    changed |= {} if place.logged else {"logged": False}
    return changed | ({"feed": True} if place.feed else {})


def hosts(*pairs):
    return {"hosts": tuple(PostgresHost(*pair) for pair in pairs)}


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("postgresql://", {}),
        ("postgresql:///app", {"database": "app"}),
        ("postgresql://db/app", hosts(("db",)) | {"database": "app"}),
        ("postgres://db:6000", hosts(("db", 6000))),
        ("postgresql://[::1]:6000/", hosts(("::1", 6000))),
        ("postgresql://me:p%40ss@db", hosts(("db",)) | {"username": "me", "password": "p@ss"}),
        ("postgresql:///app?host=/run/pg", hosts(("/run/pg",)) | {"database": "app"}),
        ("postgresql://?table=web.Sessions", {"table": "web.Sessions"}),
        ("postgresql://?logged=no", {"logged": False}),
        ("postgresql://?feed=yes", {"feed": True}),
        ("postgresql://?prepare=no", {"prepares": False}),
        ("postgresql://?connections=3", {"most": 3}),
        ("postgresql://?timeout=2", {"timeout": 2.0, "connect_timeout": 2.0}),
        ("postgresql://?timeout=2&connect_timeout=.3", {"timeout": 2.0, "connect_timeout": 0.3}),
        ("postgresql://?sslmode=verify-full", {"options": {"sslmode": "verify-full"}}),
        (
            "postgresql://me@a:1,b,[::1]:3/app",
            hosts(("a", 1), ("b",), ("::1", 3))
            | {"username": "me", "database": "app"}
            | {"options": {"target_session_attrs": "read-write"}},
        ),
        (
            "postgresql://a,b?target_session_attrs=any",
            hosts(("a",), ("b",)) | {"options": {"target_session_attrs": "any"}},
        ),
    ],
)
def test_url_means(url, means):
    """A URL sets what it says and leaves the rest as usual."""
    assert meant(url) == means


def test_name_has_all_hosts_and_no_credentials():
    """Errors and lists say where sessions are, and not with which password."""
    store = PostgresStore.from_url(f"postgresql://me:{SECRET}@a:1,b:2/app?table=x")

    assert store.name == "postgresql://a:1,b:2/app"
    assert SECRET not in repr(store._place)


def test_password_is_in_no_word_of_libpqs_that_is_shown():
    """What libpq connects with is bytes whose text shows nothing, quotes in a password included."""
    endpoint = place_of("postgresql://me:a%27b%5Cc@db").endpoint
    conninfo = endpoint.conninfo(endpoint.hosts[0], "192.0.2.1")

    assert bytes(conninfo).count(rb"password='a\'b\\c'") == 1
    assert "password" not in repr(conninfo)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (f"postgresql://me:{SECRET}@db/a/b", "is no database: write one name"),
        (f"postgresql://me:{SECRET}@db:port/a", "host or port"),
        (f"postgresql://me:{SECRET}@a:1,b:port/a", "host or port of postgresql://b cannot"),
        (f"postgresql://me:{SECRET}@a:1,/a", "hosts of postgresql://.* cannot be read"),
        (f"postgresql://me:{SECRET}@db/a?host=/run", "names two hosts"),
        ("postgresql://db?tabel=x", "did you mean 'table'"),
        ("postgresql://db?table=x-y", "table=x-y .*letters, digits and underscores"),
        ("postgresql://db?table=a.b.c", "letters, digits and underscores"),
        ("postgresql://db?logged=maybe", "write yes or no"),
        ("postgresql://db?feed=on", "write yes or no"),
        ("postgresql://db?connections=0", "above 0"),
        ("postgresql://db?timeout=soon", "seconds"),
        ("postgresql://db?sslmode=strict", "write one of disable, .*verify-full"),
        ("postgresql://db?target_session_attrs=master", "write one of any, read-write"),
        ("postgresql+psycopg://db", "no store is known for .*did you mean postgres"),
    ],
)
def test_wrong_url_is_told(url, says):
    """What is wrong with a URL is said before anything is connected, without its password."""
    from sessile.stores.open import open_store

    with pytest.raises(ConfigError, match=f"(?s){says}") as refused:
        open_store(url) if "psycopg" in url else PostgresStore.from_url(url)

    assert SECRET not in str(refused.value)
