"""A store's URL: its parts, its options, and no credentials in anything that is shown."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.errors import ConfigError
from sessile.stores.location import Location, count, redact, seconds, yes


def test_parts_are_taken_apart():
    """Each part of a URL has its place, decoded."""
    place = Location("Redis://al%40ice:p%3Aw@Cache.example:6380/2?timeout=0.25")

    assert (place.scheme, place.host, place.port) == ("redis", "cache.example", 6380)
    assert (place.username, place.password, place.path) == ("al@ice", "p:w", "/2")
    assert place.option("timeout", seconds, 0.5) == 0.25


def test_parts_that_are_missing_are_none():
    """A URL that names a file names no server."""
    place = Location("sqlite:////var/lib/my%20shop/s@le.db")

    assert (place.host, place.port, place.username, place.password) == (None, None, None, None)
    assert place.path == "//var/lib/my shop/s@le.db"


def test_credentials_are_not_shown():
    """What is safe to show is the URL without credentials and without options."""
    place = Location("redis://alice:hunter2@cache:6379/0?password=hunter2")

    assert place.safe == "redis://cache:6379/0"
    assert repr(place) == "<Location redis://cache:6379/0>"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("redis://alice:hunter2", "redis://alice"),
        ("redis://alice:hunter2/0", "redis://alice/0"),
        ("redis://alice@cache", "redis://cache"),
        ("redis://[::1]:6379/a:b", "redis://[::1]:6379/a:b"),
        ("unix://alice:hunter2@/run/redis.sock", "unix:///run/redis.sock"),
        ("redis://alice:pw@a:1,b:2,[::1]:3/x", "redis://a:1,b:2,[::1]:3/x"),
        ("redis://alice:hun,ter2/0", "redis://alice/0"),
        ("redis://a:1,alice:hunter2/0", "redis://a/0"),
        ("sqlite:////home/me@work/s.db", "sqlite:////home/me@work/s.db"),
    ],
)
def test_redaction_keeps_the_place(url, safe):
    """What is left says where, and what could be half of a credential is gone."""
    assert redact(url) == safe


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=12))
def test_no_password_is_ever_shown(password):
    """Well escaped or not, a password is in no repr and no error."""
    for url in (
        f"redis://:{quote(password, safe='')}@cache/0",
        f"redis://:{password}@cache/0",
        f"redis://alice:{password}@[::1]:6379/0?timeout=1",
    ):
        try:
            place = Location(url)
            assert password not in place.safe + repr(place)
            place.refuse_leftovers()
        except ConfigError as error:
            assert password not in str(error)  # noqa: PT017  (an error is one of two good ends)
        assert password not in redact(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:pa/ss@cache/0", "redis://:pa?ss@cache/0", "redis://:pa#ss@cache/0",
        "redis://:12/ss@cache/0", "redis://:12?ss@cache/0",
        "redis://cache:port/0", "redis://a,b:port/0",
        "redis://a,,b/0", "redis://a,/0", "redis://[::1/0", "redis://cache/0#1", "redis://cache:99999/0",
    ],
)  # fmt: skip
def test_what_can_be_misread_is_refused(url):
    """A URL with two readings is refused, and the error says how to write a password."""
    with pytest.raises(ConfigError, match="%40") as caught:
        Location(url)

    assert "ss@" not in str(caught.value)


def test_mark_in_the_name_of_a_file_is_told():
    """Where there is no password the error speaks of none."""
    with pytest.raises(ConfigError, match="a part after '#': drop it, or write %23") as refused:
        Location("sqlite:///cart#1.db")

    assert "password" not in str(refused.value)


@pytest.mark.parametrize("url", ["", "shop.db", "not a://url", "redis://a b", "sqlite:///a\nb"])
def test_what_is_no_url_is_refused(url):
    """The error shows what a URL looks like; not the text, which may be a stray secret."""
    with pytest.raises(ConfigError, match=r"sqlite:///sessile\.db") as caught:
        Location(url)

    assert not url or url not in str(caught.value)
    assert redact("a-stray-secret") == "(no URL)"


def test_path_is_printable():
    """A path with a control character, which no file system should be asked for, is refused."""
    with pytest.raises(ConfigError, match="cannot be printed"):
        Location("sqlite:///a%00b")


def test_unknown_option_is_named():
    """An option that nobody took is an error that names it, the nearest and all known ones."""
    place = Location("sqlite:///s.db?timeuot=1")
    place.option("timeout", seconds, 0.5)
    place.option("most", count, 1)

    with pytest.raises(
        ConfigError, match=r"'timeuot'.*'timeout'\? known are: most, near, timeout, watch"
    ):
        place.refuse_leftovers()


def test_option_stands_once():
    """Of an option that stands twice nobody could say which one counts."""
    with pytest.raises(ConfigError, match="twice"):
        Location("sqlite:///s.db?timeout=1&timeout=2")


@pytest.mark.parametrize(
    ("convert", "text"),
    [(seconds, "soon"), (seconds, "0"), (seconds, "-1"), (seconds, "inf"), (seconds, "nan"),
     (count, "0"), (count, "1.5"), (count, "²"), (count, ""), (yes, "true"), (yes, "")],
)  # fmt: skip
def test_wrong_value_is_named(convert, text):
    """A value that cannot be converted is an error that says what to write."""
    with pytest.raises(ConfigError, match=r"option o=.*: write "):
        Location(f"memory://?o={text}").option("o", convert, None)


def test_options_are_converted():
    """An option has its type; without it the default counts."""
    place = Location("memory://?a=2.5&b=10&c=yes&d=no")

    assert (place.option("a", seconds, 1.0), place.option("b", count, 1)) == (2.5, 10)
    assert (place.option("c", yes, default=False), place.option("d", yes, default=True)) == (
        True,
        False,
    )
    assert place.option("e", count, 7) == 7
    place.refuse_leftovers()


def test_servers_are_taken_apart():
    """A URL may name several servers; those without a port have the usual one."""
    place = Location("redis://me:p%2Cw@One,two.example:7,[::1]:8/0")

    assert place.servers(6) == (("one", 6), ("two.example", 7), ("::1", 8))
    assert (place.host, place.port, place.password) == ("one", None, "p,w")
    place.refuse_leftovers()
    assert Location("redis:///0").servers(6) == (("localhost", 6),)


def test_servers_that_nobody_took_are_refused():
    """Who takes one server does not forget the others in silence."""
    with pytest.raises(ConfigError, match=r"redis://a:1,b/0 names several servers.*takes one"):
        Location("redis://a:1,b/0").refuse_leftovers()
