"""``sessile keygen`` prints a secret that the key ring takes, and nothing beside it."""

import re

from sessile.core.secrets import KeyRing


def test_prints_one_secret_and_nothing_else(shell):
    """Standard output is one line of URL-safe text; standard error is empty."""
    done = shell("keygen")

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}\n", done.stdout)
    assert (done.returncode, done.stderr) == (0, "")


def test_secret_holds_all_the_entropy_that_was_drawn(sessile, monkeypatch):
    """Thirty-two bytes are drawn, and each of them can be read back from the text."""
    monkeypatch.setattr("sessile.wire.system.entropy", lambda count: bytes(range(count)))

    assert sessile("keygen").output == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n"


def test_key_ring_takes_it(sessile):
    """A fresh secret passes the checks of a ring, and no two are the same."""
    secrets = [sessile("keygen").output.strip() for _ in range(3)]

    assert len(KeyRing(secrets)) == 3


def test_help_says_where_to_put_it_and_how_to_rotate(sessile):
    """The help names the setting and the order of old and new."""
    assert {"SESSILE_SECRETS=SECRET", "SESSILE_SECRETS=NEW,OLD"} <= set(
        sessile("keygen", "--help").output.split()
    )
