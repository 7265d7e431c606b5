"""What a ``nats://`` URL says, and what it is told that it says wrongly."""

import pytest

from harness.certificates import Authority
from sessile.errors import ConfigError
from sessile.stores.nats import NatsStore
from sessile.stores.nats_url import NatsPlace, place_of

PASSWORD = "correct-horse-battery"


@pytest.mark.parametrize(
    ("url", "hosts", "bucket"),
    [
        ("nats://", (("localhost", 4222),), "sessile"),
        ("nats://one", (("one", 4222),), "sessile"),
        ("nats://one:5222/", (("one", 5222),), "sessile"),
        ("nats://one,two:5222,[::1]:7/shop", (("one", 4222), ("two", 5222), ("::1", 7)), "shop"),
    ],
)
def test_url_names_servers_and_bucket(url, hosts, bucket):
    place = place_of(url)

    assert (place.endpoint.hosts, place.bucket) == (hosts, bucket)
    assert place.stream == f"SESSILE_{bucket}"


def test_options_are_taken():
    place = place_of("nats://u:p@one/shop?copies=5&timeout=2&connect_timeout=1&credentials=/its")
    endpoint = place.endpoint

    assert place.copies == 5
    assert (endpoint.timeout, endpoint.connect_timeout) == (2.0, 1.0)
    assert (endpoint.username, endpoint.password, endpoint.credentials) == ("u", "p", "/its")


def test_connecting_takes_no_longer_than_an_act():
    """Nor than a second and a half: who waits for a new leader waits for no dead server."""
    limits = [place_of(f"nats://one?timeout={t}").endpoint.connect_timeout for t in (0.4, 10)]

    assert limits == [0.4, 1.5]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nats://one/two/three", "names no bucket"),
        ("nats://one/sh.op", "names no bucket"),
        ("nats://one/" + "x" * 65, "at most 64"),
        ("nats://one?copies=2", "write 1, 3 or 5"),
        ("nats://one?copies=none", "write a whole number"),
        ("nats://one?bucket=shop", "unknown option 'bucket'"),
        ("replicated://one?mirror=worker", "write process or host"),
        ("nats://one?mirror=host", "unknown option 'mirror'"),
        ("backup://one?mirror=host", "unknown option 'mirror'"),
        ("nats://one?ca=/a.pem", "write nats[+]tls://"),
        ("backup://one?ca=/a.pem", "write backup[+]tls://"),
        ("nats+tls://one?ca=/none.pem", "/none.pem"),
        (f"nats://:{PASSWORD}@one", "no user name"),
    ],
)
def test_wrong_url_is_refused_in_words(url, says):
    with pytest.raises(ConfigError, match=says) as refused:
        NatsStore.from_url(url)
    assert PASSWORD not in str(refused.value)


def test_tls_is_asked_for_by_the_scheme(tmp_path):
    authority = Authority(tmp_path)

    secure = place_of(f"nats+tls://one?ca={authority.file}").endpoint

    assert secure.tls.ca == str(authority.file)
    assert place_of("nats://one").endpoint.tls is None


def test_buckets_share_no_subject():
    """None of a bucket's subjects begins like those of another one, whatever its name."""
    one, other = (NatsPlace(place_of("nats://").endpoint, name) for name in ("shop", "shop_"))

    assert not other.subjects.startswith(one.subjects)
    assert not one.sessions.startswith(one.owners)
    assert not one.everybody.startswith((one.owners, one.sessions))
