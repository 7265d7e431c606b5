"""Time and entropy that tests hold in their hands."""

from sessile.testing.clock import T0, FakeClock, SeededEntropy


def test_clock_moves_when_it_is_told():
    """A fake clock shows the same instant until it is advanced, or set back."""
    clock = FakeClock()

    assert (clock(), clock()) == (T0, T0)
    assert clock.advance(1.5) == clock() == T0 + 1.5
    assert clock.advance(-2.5) == T0 - 1.0
    assert FakeClock(7.0)() == 7.0


def test_seeded_entropy_repeats_itself():
    """The same seed gives the same bytes in the same order, another seed gives others."""
    first, second, other = SeededEntropy(), SeededEntropy(), SeededEntropy(1)
    drawn = [first(45) for _ in range(3)]

    assert [second(45) for _ in range(3)] == drawn
    assert len({*drawn, other(45)}) == 4
    assert [len(first(n)) for n in (0, 1, 12)] == [0, 1, 12]
