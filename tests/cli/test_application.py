"""``--app shop:sessions``: every command with the application's own URL, secrets and policy."""

import json
import subprocess
import sys

import pytest

SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
SHOP = f"""
from sessile import Cookie, Policy, Sessions, days
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of

told = []
sessions = Sessions(
    "sqlite:///shop.db",
    secrets=["{SECRET}"],
    policy=Policy(idle=days(2), absolute=days(3), rotate=None),
    cookie=Cookie("shop", secure=False),
    hooks=[lambda event: print("told:", type(event).__name__)],
)
url = "sqlite:///shop.db"


def visit(act):
    transaction = run(open_transaction(context_of(sessions), PlainRequest()))
    act(Session(transaction.state))
    run(commit(transaction))
    return transaction.state.key
"""


@pytest.fixture
def shop(folder):
    """An application's module, in a folder that is on no path."""
    (folder / "shop.py").write_text(SHOP)


@pytest.fixture
def visit(shop, folder):
    """Have somebody visit the shop, in a process of its own; return the session's id."""

    def visit(act):
        program = f"import shop; print(shop.visit(lambda s: s.{act}))"
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        return done.stdout.split()[-1]

    return visit


def test_every_command_takes_the_application(shell, visit):
    """Its sessions are listed, shown and ended by its own rules, and its hooks hear of it."""
    alices, bobs = visit("login('alice')"), visit("login('bob')")
    app = ("--app", "shop:sessions")
    assert shell("list", *app).returncode == 0
    assert {one["user"] for one in json.loads(shell("list", *app, "--json").stdout)} == {
        "alice", "bob",
    }  # fmt: skip
    assert "alice" in shell(*app, "show", "--", alices).stdout
    ended = shell("end", *app, "--", bobs)
    assert (ended.returncode, "told: Ended" in ended.stdout) == (0, True)
    assert shell("end-all", "alice", *app).returncode == 0
    assert shell("sweep", *app).returncode == 0
    assert shell("end-everybody", "--yes", *app).returncode == 0

    assert shell("list", *app, "--json").stdout == "[]\n"


def test_doctor_sees_what_stands_in_the_code(shell, visit):
    """Its secrets, its cookie, and whether its records open: no guess about the environment."""
    visit("login('alice')")
    done = shell("doctor", "--app", "shop:sessions")

    assert (done.returncode, done.stderr) == (0, "")
    assert "shop.db (--app)" in done.stdout
    assert "1 in the application, newest first" in done.stdout
    assert "the application's is sound: shop=...; Path=/; HttpOnly" in done.stdout
    assert "looked at" not in done.stdout
    assert SECRET not in done.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--app", "shop"), "write module:name, as in --app shop:sessions"),
        (("--app", "shop:nothing"), "has no attribute 'nothing'"),
        (("--app", "shop:url"), "--app shop:url is a str: name the Sessions(...)"),
        (("--app", "nowhere:sessions"), "ModuleNotFoundError: No module named 'nowhere'"),
        (("--app", "shop:sessions", "--url", "memory://"), "drop one of them"),
    ],
)
def test_what_is_no_application_is_said_in_a_line(shell, shop, words, says):
    """A misspelt name, another object, a second place: one line, and code 2."""
    for command in ("list", "doctor"):
        done = shell(command, *words)
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_url_alone_shows_what_a_milder_policy_keeps(shell, visit, tmp_path):
    """The command line does not know the policy, and hides no session that is stored as live."""
    import sqlite3

    visit("login('alice')")
    assert "alice" in shell("list", "--url", "sqlite:///shop.db").stdout
    with sqlite3.connect(tmp_path / "shop.db") as db:
        assert db.execute("SELECT count(*) FROM sessile_session").fetchone() == (1,)


def test_python_m_sessile_is_the_command(folder):
    """Where no script is on the path, as in a container without one."""
    done = subprocess.run(
        [sys.executable, "-m", "sessile", "keygen"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert len(done.stdout.split()[0]) >= 32


def test_doctor_makes_no_key_file(shell, visit, folder):
    """Run by root beside a database without one it would make a file that no service can open."""
    visit("login('alice')")
    done = shell("doctor", "--url", "sqlite:///shop.db")

    assert "there is no key file" in done.stdout
    assert not (folder / "shop.db.key").exists()


def test_doctor_proposes_a_principal(shell, visit, monkeypatch):
    """Sessions of nobody that hold ``username`` are likely logins that nobody told us of."""
    visit("update(username='alice')"), visit("update(cart=[1])")
    monkeypatch.setenv("SESSILE_SECRETS", SECRET)
    for options in (("--app", "shop:sessions"), ("--url", "sqlite:///shop.db")):
        done = shell("doctor", *options)

        assert done.returncode == 0
        assert "! principal  1 of the 2 that were looked at hold 'username'" in done.stdout
        assert "write Sessions(principal='username')" in done.stdout


def test_doctor_proposes_nothing_where_the_application_has_decided(shell, visit, folder):
    """Who wrote principal=None, or another key, needs no advice."""
    visit("update(username='alice')")
    shop = folder / "shop.py"
    shop.write_text(SHOP.replace("secrets=", "principal=None, secrets="))

    assert "principal" not in shell("doctor", "--app", "shop:sessions").stdout


@pytest.mark.parametrize("name", ["SESSILE_URL", "SESSILE_SECRETS"])
def test_doctor_says_that_a_setting_is_empty(shell, visit, monkeypatch, name):
    """An empty variable is a mistake of the deployment, and is said where one looks for it."""
    visit("login('alice')")
    monkeypatch.setenv(name, "")
    url = () if name == "SESSILE_URL" else ("--url", "sqlite:///shop.db")
    done = shell("doctor", *url)

    assert done.returncode == 1
    assert f"{name} is set and empty" in done.stdout
    assert "Traceback" not in done.stderr


def test_program_that_ends_when_it_is_imported_is_an_error(shell, folder):
    """Its own exit code would say that there was no such session."""
    (folder / "script.py").write_text("import sys\nsys.exit(1)\n")
    done = shell("list", "--app", "script:sessions")

    assert done.returncode == 2
    assert "importing script ended the program" in done.stderr


def test_what_an_application_prints_is_in_no_list(shell, folder):
    """Whoever reads the JSON reads JSON; the words are beside it."""
    (folder / "chatty.py").write_text("print('hello')\n" + SHOP)
    done = shell("list", "--app", "chatty:sessions", "--json")

    assert "hello" in done.stderr
    assert "hello" not in done.stdout
