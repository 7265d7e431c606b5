"""``sessile end`` and ``sessile end-all`` end sessions, say what they did, and need no secret."""

from sessile.testing import sample


def test_end_ends_one_session_and_no_other(sessile, login, application):
    """The session is gone, its neighbour stays."""
    first, second = login("alice"), login("alice")

    done = sessile("end", first)

    assert (done.exit_code, done.output) == (0, f"ended {first}\n")
    assert [info.id for info in application().sync.of("alice")] == [second]


def test_ending_what_has_ended_is_code_1(shell, login):
    """The second time there is none, and nothing is printed for pipes."""
    key = login("alice")

    first, again = shell("end", key), shell("end", key)

    assert (first.returncode, again.returncode) == (0, 1)
    assert again.stdout == ""
    assert again.stderr == f"no live session has the id {key}; nothing was ended\n"


def test_end_all_ends_a_users_sessions_and_counts_them(sessile, login, application):
    """Those of others stay."""
    login("alice"), login("alice"), login("bob")

    done = sessile("end-all", "alice")

    assert (done.exit_code, done.output) == (0, "ended 2 sessions of alice\n")
    assert len(application().sync.of("bob")) == 1


def test_end_all_keeps_the_one_it_is_told_to_keep(sessile, login, application):
    """``--keep`` spares a session; when it is the only one, nothing was there to end."""
    login("alice")
    kept = login("alice")

    assert sessile("end-all", "alice", "--keep", kept).output == "ended 1 session of alice\n"
    again = sessile("end-all", "alice", "--keep", kept)
    assert again.exit_code == 1
    assert again.stderr == "alice has no other live session; nothing was ended\n"
    assert [info.id for info in application().sync.of("alice")] == [kept]


def test_a_mistyped_keep_ends_nothing(sessile, login, application):
    """A session to keep that is not the user's would have been ended with the others."""
    login("alice"), login("alice")

    for keep in (login("bob"), sample.key("nobody's"), "nonsense"):
        assert sessile("end-all", "alice", "--keep", keep).exit_code == 2
    assert len(application().sync.of("alice")) == 2


def test_end_all_of_nobody_is_code_1(sessile, login):
    """A user without a session is said to have none."""
    login("alice")

    done = sessile("end-all", "al\x1bice")

    assert done.exit_code == 1
    assert done.stderr == "al?ice has no live session; nothing was ended\n"


def test_an_owner_that_cannot_be_one_is_refused(sessile, login):
    """Empty, as from a variable that is not set, or not UTF-8."""
    login("alice")

    assert "it is empty" in sessile("end-all", "").stderr
    assert "not UTF-8" in sessile("end-all", "\udcff").stderr
    assert "it is empty" in sessile("list", "--owner", "").stderr


def test_no_secret_is_made_to_end_a_session(sessile, login, folder):
    """An operator's command leaves no key file behind."""
    sessile("end", login("alice"))

    assert not (folder / "sessile.db.key").exists()
