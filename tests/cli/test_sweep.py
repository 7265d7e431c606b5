"""``sessile sweep`` removes what has expired, and says how much that was."""

from sessile.testing import sample


def test_removes_the_expired_and_counts_them(sessile, put, login):
    """Live sessions stay."""
    key = login("alice")
    put(*(sample.record(f"{n}", at=1000.0) for n in range(1001)))

    assert sessile("sweep").output == "1001 expired sessions removed\n"
    assert sessile("sweep").output == "0 expired sessions removed\n"
    assert sessile("show", key).exit_code == 0


def test_progress_goes_to_the_terminal(put, terminal, folder):
    """The bar is on standard error's terminal, the count in standard output's file."""
    put(*(sample.record(f"{n}", at=1000.0) for n in range(3)))

    shown = terminal("sweep", out=folder / "count")

    assert "sweeping ━" in shown
    assert "3 sessions" in shown
    assert (folder / "count").read_text() == "3 expired sessions removed\n"
