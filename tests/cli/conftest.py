"""The command line in a fresh folder, with an environment of its own and sessions to look at."""

import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sessile import Session, Sessions
from sessile.cli.app import app
from sessile.core.flow import run
from sessile.core.request import PlainRequest
from sessile.core.ticket import Key
from sessile.service.commit import commit
from sessile.service.open import open_transaction
from sessile.service.sessions import DEFAULT_URL, context_of
from sessile.stores.open import open_store
from sessile.testing import sample

SOURCE = Path(__file__).parents[2] / "src"
SECRET = "Vd8_nQw3kZ5x-Hj1Tm6pXc9Ry2Gf4Bs7Kl0La"
Command = Callable[..., Result]
Login = Callable[..., Key]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A fresh working folder, and no setting from outside."""
    monkeypatch.chdir(tmp_path)
    for name in ("SESSILE_URL", "SESSILE_SECRETS", "FORCE_COLOR", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    return tmp_path


@pytest.fixture
def sessile():
    """Run a command inside this process."""
    return lambda *words: CliRunner().invoke(app, words, prog_name="sessile")


@pytest.fixture
def shell():
    """Run a command as a process of its own, its output in pipes."""

    def call(*words):
        command = [sys.executable, "-m", "sessile.cli", *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    return call


@pytest.fixture
def login():
    """Log somebody in at a store, by default the command line's own default; return the id."""

    def login(user, device="", *, remember=False, url=None):
        sessions = Sessions(url, secrets=[SECRET])
        transaction = run(open_transaction(context_of(sessions), PlainRequest()))
        session = Session(transaction.state)
        session["cart"] = ["socks"]
        session.login(user, device=device, remember=remember)
        run(commit(transaction))
        sessions.sync.close()
        return session.id

    return login


@pytest.fixture
def application():
    """The sessions of the application itself, which has the secret."""
    return lambda: Sessions(secrets=[SECRET])


@pytest.fixture
def put():
    """Put records into a store as they are, by default the command line's own default."""

    def put(*records, url=DEFAULT_URL):
        store = open_store(url)
        for record in records:
            if record.owner is None:
                run(store.create(record))
            else:
                run(store.replace(sample.login(record, now=record.created)))
        run(store.close())

    return put


@pytest.fixture
def terminal(folder):
    """Run a command on a terminal of so many columns; return what the terminal showed."""

    def call(*words, out=None, columns=160):
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, columns))
        with os.fdopen(theirs, "wb") as tty, ExitStack() as files:
            process = subprocess.Popen(
                [sys.executable, "-m", "sessile.cli", *words],
                stdin=subprocess.DEVNULL,
                stdout=tty if out is None else files.enter_context(out.open("wb")),
                stderr=tty,
                env=os.environ | {"TERM": "xterm", "COLUMNS": str(columns)},
            )
        with os.fdopen(ours, "rb", buffering=0) as screen:
            shown = b"".join(_until_hung_up(screen))
        assert process.wait(60) == 0
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode()).replace("\r\n", "\n")

    return call


def _until_hung_up(screen):
    with suppress(OSError):  # how Linux says that nobody holds the other end any more
        while shown := screen.read(4096):
            yield shown
