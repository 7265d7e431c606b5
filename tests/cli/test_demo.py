"""``sessile demo`` hands its options to the launcher, or says what to install."""

import subprocess
import sys
from types import ModuleType

import pytest

LAUNCHER = "sessile.demo.launcher"


@pytest.fixture
def launched(monkeypatch):
    """What a launcher was told, which starts nothing and ends with code 7."""
    told = []

    def launch(**options):
        told.append(options)
        return 7

    module = ModuleType(LAUNCHER)
    module.launch = launch
    monkeypatch.setitem(sys.modules, LAUNCHER, module)
    return told


def test_the_launcher_is_told_everything_and_its_code_is_ours(sessile, launched):
    """Address, port, servers and URL; what is not given has a default."""
    sessile("demo")
    done = sessile("demo", "--port", "9000", "--servers", "5", "--url", "memory://")

    assert done.exit_code == 7
    assert launched == [
        {"host": "127.0.0.1", "port": 8000, "servers": 3, "url": None},
        {"host": "127.0.0.1", "port": 9000, "servers": 5, "url": "memory://"},
    ]


def test_the_url_comes_from_the_environment_too(sessile, launched, monkeypatch):
    """``SESSILE_URL=redis://… sessile demo`` runs the shop on Redis."""
    monkeypatch.setenv("SESSILE_URL", "redis://cache/0")

    sessile("demo")

    assert launched[0]["url"] == "redis://cache/0"


@pytest.mark.parametrize(
    "words", [["--port", "99999"], ["--port", "http"], ["--servers", "0"], ["--server", "3"]]
)
def test_a_wrong_option_starts_nothing(sessile, launched, words):
    """It is a usage error before any process is made."""
    assert sessile("demo", *words).exit_code == 2
    assert launched == []


def test_a_missing_extra_is_named():
    """A demo whose parts are not installed says which extra brings them."""
    start = (
        "import sys; sys.modules['uvicorn'] = None; "
        "sys.argv = ['sessile', 'demo', '--url', 'nonsense'];"  # so that nothing can start
        "from sessile.cli.__main__ import main; main()"
    )

    done = subprocess.run(
        [sys.executable, "-c", start], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert done.stderr == "sessile: the demo needs sessile[demo]: pip install 'sessile[demo]'\n"
