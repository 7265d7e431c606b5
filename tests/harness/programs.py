"""What a test needs of its machine: installed programs, and ports.

A program that is not installed skips its tests on a laptop, and fails them in CI or where
``SESSILE_REQUIRE`` names it.
"""

import os
import random
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

_PORTS = range(20_000, 32_000)  # below the range from which the kernel numbers outgoing connections


def find_program(program, name, remedy):
    """Return a program's path, a wheel's first; without it skip, or fail where it is demanded."""
    wheels = Path(sys.executable).parent
    places = f"{wheels}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    path = shutil.which(program, path=places)
    if path is None:
        skip_or_fail(name, f"{program} is not installed; install it: {remedy}")
    return path


def skip_or_fail(name, missing):
    """Skip the test for what it needs, or fail where that is demanded."""
    if "CI" in os.environ or name in os.environ.get("SESSILE_REQUIRE", "").split(","):
        pytest.fail(missing)
    pytest.skip(f"NOT TESTED: {missing}")


class Freezable:
    """A server that is one process, ``_process``."""

    def freeze(self):
        """Let it take connections and bytes and answer nothing."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def thaw(self):
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)


def free_port():
    """Return a port that nobody listens on."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


NO_SERVER = "SESSILE_TESTS_WITHOUT_SERVERS"
"""Set in the environment by ``make quick``."""


def check_servers_are_meant():
    """Fail a test that starts a server where none is to be started."""
    if os.environ.get(NO_SERVER):
        pytest.fail("make quick starts no server: leave this test out there, by its name")
