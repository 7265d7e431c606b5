"""``scripts/install-servers``: what it says before it changes anything; and who starts none."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.memcached_server import MemcachedServer
from harness.nats_server import BATCHLESS, OLDEST
from harness.postgres_server import PostgresServer
from harness.programs import NO_SERVER
from harness.redis_server import RedisServer
from sessile.wire.nats.version import BATCHES, text_of

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "scripts" / "install-servers"
MENU = (ROOT / "Makefile").read_text()
SUDO = """#!/bin/sh
echo "sudo $*" >>{record}
cat >/dev/null
"""


@pytest.fixture
def install(tmp_path):
    """Run the script as somebody who is not root; return its code and all that was said, in order.

    Its own ``sudo`` only writes down what it was asked to do.
    """
    folder, record = tmp_path / "bin", tmp_path / "record"
    folder.mkdir()

    def run(*programs, may):
        stubs = {"id": "#!/bin/sh\necho 1000\n", "apt-get": "#!/bin/sh\nexit 1\n"}
        stubs |= {"sudo": SUDO.format(record=record)} if may else {}
        for name, text in stubs.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        for name in ("mktemp", "rm", "cat", "sh"):
            (folder / name).symlink_to(shutil.which(name))
        with record.open("a") as said:
            done = subprocess.run(
                ["/bin/sh", SCRIPT, *programs],
                env=os.environ | {"PATH": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                check=False,
            )
        return done.returncode, record.read_text().splitlines()

    return run


def test_packages_are_named_before_they_are_installed(install):
    """The first thing that is done is to say which packages come, and by which command."""
    code, (asked, told, *done) = install("no-such-server", "nor-this", may=True)

    assert code == 0
    assert asked == "sudo -n true"  # whether it may
    assert told.startswith("installing for the tests, on this machine, by sudo -n apt-get install:")
    assert told.endswith(": no-such-server nor-this")
    assert any("apt-get install" in line and "no-such-server nor-this" in line for line in done)


def test_packages_are_named_where_nobody_may_install_them(install):
    """Without root nothing is done; the line says what to write."""
    code, said = install("no-such-server", may=False)

    assert code == 1
    assert said == [
        "please install: no-such-server (on Debian: apt-get install no-such-server)",
    ]


def test_nothing_is_said_where_nothing_is_missing(install):
    """A machine that has them all is left alone."""
    assert install("sh", may=True) == (0, [])


def test_older_servers_come_with_make_test():
    """Those that tests run; the oldest that takes every store is the one that the store names."""
    (versions,) = re.findall(r"^older_nats := .*nats-server,(.*)\)", MENU, re.MULTILINE)
    (rule,) = re.findall(r"^test: (.*)", MENU, re.MULTILINE)

    assert versions.split() == [BATCHLESS, OLDEST]
    assert "$(older_nats)" in rule
    assert text_of(BATCHES) == OLDEST


@pytest.mark.parametrize("start", [RedisServer, MemcachedServer, lambda _: PostgresServer()])
def test_quick_tests_start_no_server(start, tmp_path, monkeypatch):
    """``make quick`` says so, and a test that starts one all the same fails there."""
    monkeypatch.setenv(NO_SERVER, "1")
    with pytest.raises(pytest.fail.Exception, match="make quick starts no server"):
        start(tmp_path)

    (rule,) = re.findall(r"^quick:.*\n((?:\t.*\n)+)", MENU, re.MULTILINE)
    assert f"{NO_SERVER}=1 " in rule
