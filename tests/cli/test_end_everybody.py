"""``sessile end-everybody`` asks before it ends every session there is, and needs no secret."""

import pytest
from typer.testing import CliRunner

from sessile.cli.app import app
from sessile.core.flow import run
from sessile.stores.open import open_store
from sessile.stores.sqlite import SQLiteStore
from sessile.testing.sample import key, login, record, records_of


def asked(folder):
    return f"End every session of everybody in {folder}/sessile.db? [y/N]:"


def ended(folder):
    return f"ended every session of everybody in {folder}/sessile.db\n"


@pytest.fixture
def answer():
    """Run the command and answer its question."""
    return lambda text: CliRunner().invoke(app, ["end-everybody"], input=text)


def test_yes_ends_everybody_without_asking(sessile, login, folder, application):
    """Users and anonymous sessions, in one go; no key file is left behind."""
    login("alice"), login("bob")

    done = sessile("end-everybody", "--yes")

    assert (done.exit_code, done.output) == (0, ended(folder))
    assert [application().sync.of(user) for user in ("alice", "bob")] == [[], []]


def test_no_secret_is_made_to_end_everybody(sessile, login, folder):
    """An operator's command leaves no key file behind."""
    login("alice")
    sessile("end-everybody", "--yes")

    assert not (folder / "sessile.db.key").exists()


def test_it_asks_and_is_told_yes(answer, login, application, folder):
    """The question names the store, and stands where it does not mix with what is printed."""
    login("alice")

    done = answer("y\n")

    assert done.exit_code == 0
    assert asked(folder) in done.stderr
    assert done.stdout.endswith(ended(folder))
    assert application().sync.of("alice") == []


@pytest.mark.parametrize("text", ["n\n", "\n", "maybe\n", ""])
def test_anything_but_yes_ends_nobody(answer, login, text, application, folder):
    """No, Enter, nonsense and no answer at all leave everybody where they are; code 1."""
    login("alice")

    done = answer(text)

    assert (done.exit_code, ended(folder) in done.stdout) == (1, False)
    assert done.stderr.endswith("nothing was ended; --yes ends without asking\n")
    assert len(application().sync.of("alice")) == 1


def test_a_script_that_cannot_answer_ends_nobody(shell, login, application, folder):
    """Without a terminal and without ``--yes`` it does not wait."""
    login("alice")

    done = shell("end-everybody")

    assert (done.returncode, ended(folder) in done.stdout) == (1, False)
    assert len(application().sync.of("alice")) == 1


def test_what_cannot_be_reached_is_not_asked_about(sessile, own_redis):
    """The error comes before the question."""
    own_redis.stop()
    done = sessile("end-everybody", "--url", own_redis.url)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "?" not in done.stderr
    assert "no database" in sessile("end-everybody", "--yes").stderr


def test_a_process_at_work_finds_everybody_gone(shell, folder, drive):
    """A server that has the file open refuses every session from its next request."""
    store = SQLiteStore(folder / "sessile.db")
    drive(store.create(record()))
    drive(store.replace(login(record("b", owner="alice"))))
    assert shell("end-everybody", "--yes").returncode == 0

    assert [drive(store.read(key(name))) for name in "ab"] == [None, None]
    assert records_of(store, drive, "alice") == []
    drive(store.create(record()))
    assert drive(store.read(key("a"))) == record()
    drive(store.close())


def test_a_process_at_work_on_redis_finds_everybody_gone(shell, redis_server, folder):
    """So does one that is connected to Redis; another application there keeps its sessions."""
    url, neighbour = (f"{redis_server.url}?prefix={folder.name}{end}" for end in (":", "!"))
    stores = [open_store(each) for each in (url, neighbour)]
    for store in stores:
        run(store.create(record()))
    assert shell("end-everybody", "--yes", "--url", url).returncode == 0

    assert [run(store.read(key("a"))) for store in stores] == [None, record()]
    for store in stores:
        run(store.close())


def test_end_that_a_crash_may_undo_says_so_on_stderr(sessile, own_redis):
    """It is done, code 0; what the server does not keep is a line of its own, and none else is."""
    own_redis.ask("CONFIG", "SET", "save", "3600 1")
    own_redis.ask("ACL", "SETUSER", "default", "-bgsave")
    done = sessile("end-everybody", "--yes", "--url", own_redis.url)

    assert (done.exit_code, done.stdout[:5]) == (0, "ended")
    assert done.stderr.splitlines()[-1].startswith("but the server was asked for a snapshot")
    own_redis.ask("ACL", "SETUSER", "default", "+bgsave")
    assert sessile("end-everybody", "--yes", "--url", own_redis.url).stderr == ""
