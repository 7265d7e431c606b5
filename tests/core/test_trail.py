"""Trails: bounded, printable, and not to be flushed by one who repeats themselves."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessile.core.client import Client
from sessile.core.trail import (
    MAX_ENTRIES,
    TrailEntry,
    extend_trail,
    has_entry,
    pack_trail,
    printable,
    unpack_trail,
)
from sessile.testing.clock import T0
from sessile.testing.effort import effort

HOME = Client("192.0.2.7", "Firefox", "Linux")
ABROAD = Client("198.51.100.9", "curl")


def words(trail):
    return [line.what for line in trail]


def test_line_says_what_when_and_from_where():
    """Each word is a line, in order, with the client's address and device."""
    first = TrailEntry(T0, "login", "192.0.2.7", "Firefox on Linux")
    trail = extend_trail((), T0, HOME, "login")
    trail = extend_trail(trail, T0 + 5.0, ABROAD, "paid", "left")

    assert trail[0] == first
    assert trail[1:] == (
        TrailEntry(T0 + 5.0, "paid", "198.51.100.9", "curl"),
        TrailEntry(T0 + 5.0, "left", "198.51.100.9", "curl"),
    )
    assert extend_trail(trail, T0, HOME) == trail


def test_full_trail_loses_its_oldest_line_but_the_first():
    """The beginning and the newest lines stay."""
    trail = extend_trail((), T0, HOME, *map(str, range(MAX_ENTRIES)))
    assert words(trail) == [str(n) for n in range(MAX_ENTRIES)]
    trail = extend_trail(trail, T0, HOME, "a", "b")

    assert words(trail) == ["0", *(str(n) for n in range(3, MAX_ENTRIES)), "a", "b"]


def test_line_that_is_repeated_gives_way_to_itself():
    """However often one thing is written, what was written once stays."""
    trail = extend_trail((), T0, HOME, "login", "changed the password")
    for n in range(200):
        trail = extend_trail(trail, T0 + n, ABROAD, "another client")
    trail = extend_trail(trail, T0 + 200, HOME, "paid")

    assert len(trail) == MAX_ENTRIES
    assert {"login", "changed the password", "paid"} <= set(words(trail))
    assert trail[2].at == T0 + 200 - (MAX_ENTRIES - 3)


@effort(100, 2_000)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=30)))
def test_trail_is_bounded_and_keeps_its_first_and_newest(batches):
    """Whatever is written, the first line and the newest are there, in the order of time."""
    trail = ()
    everything = []
    for n, batch in enumerate(batches):
        trail = extend_trail(trail, T0 + n, HOME, *batch)
        everything += batch

    assert len(trail) == min(len(everything), MAX_ENTRIES)
    assert words(trail)[:1] == everything[:1]
    assert [line.at for line in trail] == sorted(line.at for line in trail)
    kinds = {*everything}
    assert set(words(trail)) == kinds


def test_trail_tells_what_a_client_did():
    """A line is known by its words, its address and its device together."""
    trail = extend_trail((), T0, HOME, "login")

    assert has_entry(trail, "login", HOME)
    assert not has_entry(trail, "logout", HOME)
    assert not has_entry(trail, "login", ABROAD)
    assert not has_entry(trail, "login", Client(HOME.address, "curl"))
    assert not has_entry((), "login", HOME)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("a\r\nb\x1b[31m\u202e\ud800é", "ab[31mé"), ("x" * 100, "x" * 80), ("", "")],
)
def test_words_are_one_printable_line(given, kept):
    """Nothing in a trail can break a list, a log or a terminal."""
    assert printable(given) == kept
    assert words(extend_trail((), T0, HOME, given)) == [kept]


def test_packed_trail_comes_back():
    """A trail is unpacked as it was packed; what is no trail's bytes is an empty one."""
    trail = extend_trail((), T0, HOME, "login", "paid")

    assert unpack_trail(pack_trail(trail)) == trail
    for blob in (b"", b"\xc1", pack_trail(trail)[:-1], msgspec.msgpack.encode([[1]]), b"\x00" * 9):
        assert unpack_trail(blob) == ()
