"""What holds for every command: where the URL comes from, how an error looks, which code it has."""

import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest

from sessile.cli.__main__ import main
from sessile.cli.app import app


def test_the_url_stands_before_or_behind_the_command(sessile, login):
    """Both places mean the same, and the one behind wins."""
    key = login("alice", url="sqlite:///here.db")

    for words in (
        ["--url", "sqlite:///here.db", "list"],
        ["list", "--url", "sqlite:///here.db"],
        ["--url", "sqlite:///nowhere.db", "list", "--url", "sqlite:///here.db"],
    ):
        assert sessile(*words).stdout.startswith(key)


def test_the_url_on_the_line_goes_before_the_environment(sessile, login, monkeypatch):
    """``--url``, else SESSILE_URL, else the default."""
    here, there = login("alice", url="sqlite:///here.db"), login("bob", url="sqlite:///there.db")
    monkeypatch.setenv("SESSILE_URL", "sqlite:///there.db")

    assert sessile("list").stdout.startswith(there)
    assert sessile("list", "--url", "sqlite:///here.db").stdout.startswith(here)
    assert sessile("--url", "sqlite:///here.db", "list").stdout.startswith(here)


def test_an_empty_url_is_refused(sessile, login):
    """``--url "$UNSET"`` must not end sessions in another store."""
    login("alice")

    for words in (["--url", "", "end-all", "alice"], ["end-all", "alice", "--url", ""]):
        done = sessile(*words)
        assert done.exit_code == 2
        assert "it is empty" in done.stderr


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "sessile: a store's URL has a scheme"),
        ("sqlite:///", "sessile: sqlite:/// names no file"),
        ("sqllite:///sessile.db", "did you mean sqlite://?"),
        ("sqlite:///no/such/folder/s.db", "does not exist"),
        ("sqlite:///s.db?timeot=1", "did you mean 'timeout'?"),
    ],
)
def test_a_wrong_url_is_one_line_and_code_2(sessile, url, says):
    """It says what is wrong and what to write instead; there is no traceback."""
    done = sessile("list", "--url", url)

    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_that_is_no_database_is_one_line(shell, folder):
    """A store that refuses is an error like any other."""
    (folder / "sessile.db").write_text("This is a shopping list.\n" * 100)

    done = shell("list")

    assert done.returncode == 2
    assert done.stderr.startswith("sessile: sqlite:///sessile.db is unavailable: ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_command_is_code_2(shell):
    """It is named, and nothing is done."""
    done = shell("lst")

    assert done.returncode == 2
    assert "No such command 'lst'" in done.stderr


def test_without_a_command_there_is_help(sessile):
    """Each command stands there with what it does."""
    shown = sessile("--help").stdout

    for command in (
        "keygen",
        "doctor",
        "list",
        "show",
        "end",
        "end-all",
        "end-everybody",
        "sweep",
        "demo",
    ):
        assert f"\n  {command} " in shown


def test_the_version_is_the_packages(sessile, monkeypatch):
    """The version is that of the installed package; a bare checkout says that it is one."""
    monkeypatch.setattr("sessile.cli.app.version", lambda name: f"1.2.3 of {name}")
    assert sessile("--version").output == "sessile 1.2.3 of sessile\n"

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("sessile.cli.app.version", missing)
    assert "never installed" in sessile("--version").output


@pytest.mark.parametrize("module", ["typer", "rich"])
def test_a_missing_extra_is_named(module):
    """Without typer or rich the command says what to install."""
    start = (
        f"import sys; sys.modules[{module!r}] = None; from sessile.cli.__main__ import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr == "sessile: the command needs sessile[cli]: pip install 'sessile[cli]'\n"


EXTRAS = {
    "command": (
        "from sessile.cli.__main__ import main; sys.argv[1:] = ['--help']; main()",
        [
            *("argon2", "fastapi", "flask", "h11", "hiredis", "jinja2", "lmdb", "nats"),
            *("opentelemetry", "prometheus_client", "psycopg", "pyotp", "starlette", "ua_parser"),
            *("uvicorn", "websockets"),
        ],
    ),
    "demo": (
        "import sessile.cli.app, sessile.demo.launcher, sessile.demo.fleet.child",
        ["fastapi", "flask", "lmdb", "nats", "opentelemetry", "prometheus_client", "ua_parser"],
    ),
}
"""What is started with an extra alone, and the modules of all others."""


@pytest.mark.parametrize("extra", EXTRAS)
def test_no_other_extra_is_needed(extra):
    """The command and the demo start where nothing but their own is installed."""
    start, others = EXTRAS[extra]
    block = f"import sys; sys.modules.update(dict.fromkeys({others!r}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{block}; {start}"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_bug_in_our_own_imports_is_not_called_a_missing_extra(monkeypatch):
    """Only foreign modules are an extra."""
    monkeypatch.setitem(sys.modules, "sessile.cli.app", None)

    with pytest.raises(ModuleNotFoundError, match=r"sessile\.cli\.app"):
        main()


def test_a_terminal_without_the_signs_gets_no_traceback(login):
    """Output in Latin-1 spells what Latin-1 lacks."""
    login("alice")
    done = subprocess.run(
        [sys.executable, "-m", "sessile.cli", "doctor"],
        env=os.environ | {"PYTHONIOENCODING": "iso-8859-1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u2713 URL")


def test_a_reader_that_leaves_early_is_no_traceback(put):
    """``sessile list | head -1`` ends quietly."""
    line = f"{sys.executable} -m sessile.cli list --json | head -c 1"

    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)

    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["list", "show", "end", "end-all", "end-everybody", "sweep"])
def test_help_names_no_type_of_python(sessile, command):
    """What to write stands there, not what it is made into."""
    shown = sessile(command, "--help").stdout

    assert "sessile.core" not in shown
    assert "class" not in shown


@pytest.mark.parametrize(
    "words",
    [
        ["list"], ["list", "--owner", "alice"], ["show", "A" * 20], ["end", "A" * 20],
        ["end-all", "alice"], ["end-everybody", "--yes"], ["sweep"], ["doctor"],
    ],
)  # fmt: skip
def test_wrong_folder_stays_empty(sessile, folder, words):
    """No command makes a database; each says where it looked and what to write instead."""
    done = sessile(*words)

    assert done.exit_code != 0
    assert f"there is no database {folder}/sessile.db" in done.output
    assert "--url sqlite:////path/to/sessile.db" in done.output
    assert list(folder.iterdir()) == []


ABOUT_SESSIONS = (
    ["list"], ["show", "A" * 20], ["where", "A" * 20], ["stat"], ["stat", "--quick"],
    ["end", "A" * 20], ["end-all", "alice"], ["end-everybody", "--yes"], ["sweep"], ["init"],
    ["copy", "sqlite:///sessile.db", "sqlite:///new.db"], ["demo"],
    ["servers"], ["drain", "a"], ["undrain", "a"],
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(("SESSILE_SECRETS", words) for words in ABOUT_SESSIONS),
        *(("SESSILE_URL", words) for words in ABOUT_SESSIONS if words[0] != "copy"),
    ],
)
def test_empty_setting_stops_every_command(sessile, login, monkeypatch, name, words):
    """The application does not start with it either; nothing is listed, ended or carried over."""
    login("alice")
    monkeypatch.setenv(name, " ")
    done = sessile(*words)

    assert (done.exit_code, done.stdout) == (2, "")
    assert f"{name} is set and empty" in done.stderr
    monkeypatch.delenv(name)
    assert "\talice\t" in sessile("list").stdout


def test_no_command_is_forgotten():
    """The doctor has a test of its own, and ``keygen`` asks for no setting: it makes one."""
    named = {one.name for one in app.registered_commands}

    assert named == {words[0] for words in ABOUT_SESSIONS} | {"doctor", "keygen"}
