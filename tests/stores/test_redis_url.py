"""URLs of the Redis store: what they mean, and what is said of those that mean nothing."""

import pytest

from sessile.errors import ConfigError
from sessile.stores.contract import Capability, Store
from sessile.stores.redis import RedisStore
from sessile.wire.redis.endpoint import Sentinels


def meant(url):
    """Return what a URL sets beside the defaults."""
    store = RedisStore.from_url(url)
    endpoint = store._client._endpoint
    fields = (
        "host", "port", "path", "db", "username", "password", "sentinels", "timeout",
        "connect_timeout",
    )  # fmt: skip
    found = {name: getattr(endpoint, name) for name in fields} | {"prefix": store._prefix}
    usual = {
        "host": "localhost", "port": 6379, "path": None, "db": 0, "username": None,
        "password": None, "sentinels": None, "timeout": 0.5, "connect_timeout": 0.5,
        "prefix": "sessile:",
    }  # fmt: skip
    return {name: value for name, value in found.items() if value != usual[name]}


@pytest.mark.parametrize(
    ("url", "means"),
    [
        ("redis://", {}),
        ("redis://cache", {"host": "cache"}),
        ("redis://cache:7000/2", {"host": "cache", "port": 7000, "db": 2}),
        ("redis://[::1]:7000/", {"host": "::1", "port": 7000}),
        ("rediss://cache/3", {"host": "cache", "db": 3}),
        ("redis://:p%40ss@cache", {"host": "cache", "password": "p@ss"}),
        ("redis://me:pw@cache", {"host": "cache", "username": "me", "password": "pw"}),
        ("unix:///run/redis.sock", {"path": "/run/redis.sock"}),
        ("unix://:pw@/run/r.sock?db=4", {"path": "/run/r.sock", "db": 4, "password": "pw"}),
        ("valkey://cache:7000/2", {"host": "cache", "port": 7000, "db": 2}),
        ("valkeys://:pw@cache", {"host": "cache", "password": "pw"}),
        ("redis://?prefix=shop:", {"prefix": "shop:"}),
        ("redis://?timeout=2", {"timeout": 2.0, "connect_timeout": 2.0}),
        ("redis://?timeout=2&connect_timeout=.3", {"timeout": 2.0, "connect_timeout": 0.3}),
    ],
)
def test_url_means(url, means):
    """A URL sets what it says and leaves the rest as usual."""
    assert meant(url) == means


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis://:secret@cache/zero", "redis://cache/zero is no database.*redis://host:6379/0"),
        ("redis://cache/-1", "no database"),
        ("redis://cache/0/1", "no database"),
        ("redis://cache/²", "no database"),
        ("redis://cache?db=1", "unknown option 'db'"),
        ("redis://cache?ca=x.pem", "unknown option 'ca'"),
        ("redis://cache?timeout=0", "above 0"),
        ("redis://cache?connect_timeout=soon", "seconds"),
        ("redis+sentinel://one", "names no primary.*redis.sentinel://one:26379,two:26379/NAME/0"),
        ("redis+sentinel://one/shop/zero", "no database.*redis.sentinel://one:26379,two:26379/NAM"),
        ("redis+sentinel://one/shop/0/1", "no database"),
        ("redis+sentinel://one/shop?ca=x.pem", "unknown option 'ca'"),
        ("valkeys+sentinel://one/shop?ca=/no/such.pem", "/no/such.pem.*PEM"),
        ("redis://one:6379,two:6379/0", r"redis://one:6379,two:6379/0 names several servers"),
        ("redis://cache?sentinel_password=secret", "unknown option 'sentinel_password'"),
        ("unix://", "names no socket.*unix:///run/redis.sock"),
        ("unix://cache/run/redis.sock", "names no socket"),
        ("unix:///run/redis.sock?db=one", "whole number from 0"),
        ("rediss://cache?ca=/no/such.pem", "/no/such.pem.*PEM"),
        ("rediss://cache?cert=/no/such.pem", "/no/such.pem.*PEM"),
    ],
)
def test_url_that_means_nothing_is_an_error_at_start(url, says):
    """A wrong URL is refused before anything is asked; the error shows no credentials."""
    with pytest.raises(ConfigError, match=says) as refused:
        RedisStore.from_url(url)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "means"),
    [
        (
            "redis+sentinel://one,two:7000/shop",
            {"sentinels": Sentinels((("one", 26379), ("two", 7000)), "shop")},
        ),
        (
            "valkey+sentinel://me:pw@one/shop/2?sentinel_username=them&sentinel_password=theirs",
            {
                "sentinels": Sentinels((("one", 26379),), "shop", "them", "theirs"),
                "username": "me", "password": "pw", "db": 2,
            },
        ),
    ],
)  # fmt: skip
def test_url_of_sentinels_means(url, means):
    """They stand where the server would, and the path begins with what they call the primary."""
    found = meant(url)
    assert (found.pop("host"), found.pop("port", None)) == ("one", None)
    assert found == means
    assert "theirs" not in repr(RedisStore.from_url(url)._client._endpoint)


def test_store_is_one():
    """The store has the contract's shape, a name without credentials, and keeps no secret."""
    store = RedisStore.from_url("redis://me:pw@cache:7000/2?prefix=x:")

    assert isinstance(store, Store)
    assert store.name == "redis://cache:7000/2"
    assert store.keep_secret(b"\x01" * 32) is None
    assert Capability.DURABLE not in store.capabilities
