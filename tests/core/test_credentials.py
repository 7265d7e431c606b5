"""What an application says of a login: checked where it is said."""

import pytest

from sessile.core.credentials import (
    check_assurance,
    check_factors,
    check_given_factors,
    check_instant,
    check_lasts,
    check_purpose,
    check_user,
)
from sessile.errors import ConfigError
from sessile.testing.clock import T0

WORDS = ["x", "totp", "x" * 64, "passkey (phone)", "Schlüssel"]
NO_WORDS = ["", "x" * 65, "a\nb", "\x1b", "\ud800", 7, None, b"totp", ["totp"]]


@pytest.mark.parametrize("user", ["x", "x" * 512, "álice\n:*"])
def test_user_is_a_text(user):
    """Any text that can be written is a user's key, up to 512 characters."""
    assert check_user(user) == user


@pytest.mark.parametrize("user", ["", "x" * 513, "\ud800", 7, None, b"alice", True])
def test_what_is_no_user_is_refused(user):
    """Nothing is made a text by guessing."""
    with pytest.raises(ConfigError, match="as a text"):
        check_user(user)


@pytest.mark.parametrize("level", [1, 5, 9])
def test_assurance_is_a_level(level):
    """Levels go from 1 to 9."""
    assert check_assurance(level) == level


@pytest.mark.parametrize("level", [0, 10, -1, True, 1.0, "1", None])
def test_what_is_no_level_is_refused(level):
    """A level that could not be compared is none."""
    with pytest.raises(ConfigError, match="from 1 to 9"):
        check_assurance(level)


@pytest.mark.parametrize("word", WORDS)
def test_factors_and_purposes_are_words(word):
    """A factor or a purpose is a printable text of up to 64 characters."""
    assert check_factors([word]) == check_given_factors((word,)) == (word,)
    assert check_purpose(word) == word


@pytest.mark.parametrize("wrong", NO_WORDS)
def test_what_is_no_word_is_refused(wrong):
    """The error says which one it was."""
    with pytest.raises(ConfigError, match="factor "):
        check_factors(("totp", wrong))
    with pytest.raises(ConfigError, match="purpose "):
        check_purpose(wrong)


@pytest.mark.parametrize("wrong", ["totp", "", None, 7, {"totp"}, {"totp": 1}, iter(("totp",))])
def test_factors_are_a_sequence(wrong):
    """One text is not taken for its letters, and what has no order is not taken."""
    for check in (check_factors, check_given_factors):
        with pytest.raises(ConfigError, match=r'factors=\("password", "totp"\)'):
            check(wrong)


def test_factors_are_few():
    """Eight factors are the most that a login names."""
    assert len(check_factors(["x"] * 8)) == 8
    with pytest.raises(ConfigError, match="9 of them, and a session keeps 8"):
        check_factors(["x"] * 9)


def test_proof_names_a_factor():
    """A login may name none; what rests on a factor names one."""
    assert check_factors(()) == ()
    with pytest.raises(ConfigError, match="what was given now"):
        check_given_factors(())


@pytest.mark.parametrize("lasts", [1, 0.5, 86_400])
def test_time_to_use_is_up_to_a_day(lasts):
    """A grant or a half-finished login lasts for up to a day."""
    assert check_lasts(lasts) == float(lasts)


@pytest.mark.parametrize(
    "wrong", [0, -1, 86_401, True, "300", None, float("nan"), float("inf"), 10**400]
)
def test_time_that_cannot_be_meant_is_refused(wrong):
    """A time for ever, or for no time, is a mistake."""
    with pytest.raises(ConfigError, match="lasts="):
        check_lasts(wrong)


def test_instant_is_a_time_of_day():
    """None is now; another time is seconds since 1970."""
    assert check_instant(None, T0) == T0
    assert check_instant(5, T0) == 5.0


@pytest.mark.parametrize("wrong", [0, -1, 1e11, True, "now", float("nan"), float("inf")])
def test_what_is_no_instant_is_refused(wrong):
    """Milliseconds, texts and the like are no time."""
    with pytest.raises(ConfigError, match="is no time"):
        check_instant(wrong, T0)
