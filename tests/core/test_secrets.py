"""The key ring: newest first, never weak, never shown."""

import base64

import pytest

from sessile.core.secrets import SHORTEST, KeyRing, fingerprint
from sessile.errors import ConfigError, WeakSecret
from sessile.testing.clock import SeededEntropy

GOOD = [base64.urlsafe_b64encode(SeededEntropy(n)(32)).decode() for n in range(3)]


def test_newest_secret_is_the_first():
    """The ring keeps its order: the first derives and seals, all of them verify."""
    ring = KeyRing(GOOD)

    assert ring.newest == GOOD[0].encode()
    assert list(ring) == [secret.encode() for secret in GOOD]
    assert len(ring) == 3


@pytest.mark.parametrize("secret", [GOOD[0], GOOD[0].encode(), bytearray(GOOD[0].encode())])
def test_text_and_bytes_are_one_secret(secret):
    """A secret may be given as text or as bytes, and stands for the same key."""
    assert KeyRing([secret]).newest == GOOD[0].encode()


def test_single_secret_needs_no_list():
    """One text is one secret, not a list of characters."""
    assert list(KeyRing(GOOD[0])) == [GOOD[0].encode()]


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "has 0 characters"),
        ("short", "has 5 characters"),
        (GOOD[0][: SHORTEST - 1], "has 31 characters"),
        ("a" * 64, "repeats itself"),
        ("0123456789ab" * 4, "repeats itself"),
        (GOOD[0][:22] * 2, "repeats itself"),
        ("abcdefghijk" * 3 + "a", "repeats itself"),
        ("ababcbdcdbadcbabdcabdcabdbcadbcabdcabdcbad", "repeats itself"),
        ("django-insecure-" + GOOD[0], "stands in a manual"),
        ("CHANGEME" + GOOD[0], "stands in a manual"),
        ("your_secret_key_goes_here_and_is_long", "stands in a manual"),
        ("192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", "in a manual"),
        (bytes(64), "repeats itself"),
    ],
)
def test_weak_secret_is_refused(secret, reason):
    """What a thief could guess is an error that says which secret, why, and what to do."""
    with pytest.raises(WeakSecret, match=reason) as refused:
        KeyRing([GOOD[0] + "x", secret])

    assert "secret 2" in str(refused.value)
    assert "sessile keygen" in str(refused.value)


def test_secret_as_good_as_demanded_is_taken():
    """The shortest secret, and the one of fewest different characters, are allowed."""
    assert len(KeyRing([GOOD[0][:SHORTEST]]).newest) == 32
    assert KeyRing(["abcdefghijkl" + "a" * 20])


def test_ring_has_four_secrets_at_most():
    """Each secret costs work for every stranger's ticket, so old ones have to be retired."""
    many = [base64.urlsafe_b64encode(SeededEntropy(n)(32)) for n in range(5)]
    assert len(KeyRing(many[:4])) == 4
    with pytest.raises(WeakSecret, match="5 secrets; retire the oldest"):
        KeyRing(many)


def test_empty_ring_is_refused():
    """No secrets is an error, not a ring that seals with nothing."""
    with pytest.raises(ConfigError, match="secrets is empty"):
        KeyRing([])


@pytest.mark.parametrize("given", [5, [5], [32], [None], [[GOOD[0]]]])
def test_what_is_no_text_is_refused(given):
    """A number is no secret: ``bytes(32)`` would make one of zeros. It is not shown either."""
    with pytest.raises(ConfigError, match="sessile keygen") as refused:
        KeyRing(given)

    assert GOOD[0] not in str(refused.value)


def test_text_that_is_no_utf_8_is_refused():
    """As of a variable in another encoding; neither the error nor its context holds the secret."""
    with pytest.raises(ConfigError, match="UTF-8") as refused:
        KeyRing([GOOD[0] + "\udcff"])

    assert refused.value.__context__ is None
    assert GOOD[0] not in str(refused.value)


def test_copy_is_refused():
    """A secret given twice, as text and as bytes, is a mistake in a rotation."""
    with pytest.raises(WeakSecret, match="stands twice"):
        KeyRing([GOOD[0], GOOD[1], GOOD[0].encode()])


def test_no_secret_is_ever_shown():
    """Neither the ring's text nor any refusal quotes a secret."""
    told = [repr(KeyRing(GOOD)), str(KeyRing(GOOD))]
    for weak in ([GOOD[0], "hunter2-hunter2"], [GOOD[0], GOOD[0]], [GOOD[1], "changeme" + GOOD[0]]):
        with pytest.raises(WeakSecret) as refused:
            KeyRing(weak)
        told.append(str(refused.value))

    for text in told:
        assert not any(secret in text for secret in [*GOOD, "hunter2", "changeme"])


def test_fingerprints_tell_secrets_apart():
    """A fingerprint is eight hex digits, the same for the same secret alone."""
    prints = [fingerprint(secret.encode()) for secret in GOOD]

    assert len(set(prints)) == 3
    assert all(len(mark) == 8 and int(mark, 16) >= 0 for mark in prints)
    assert all(mark in repr(KeyRing(GOOD)) for mark in prints)
