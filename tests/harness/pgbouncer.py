"""A real PgBouncer before a Postgres server, in transaction mode, on a port of its own."""

import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from harness.postgres_server import hand_over, run_as, unprivileged_user
from harness.programs import free_port, skip_or_fail

WITHIN = 20.0
CONFIG = """\
[databases]
* = host=127.0.0.1 port={server} user=sessile
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_lifetime = 2
max_client_conn = 200
"""


class PgBouncer:
    """A ``pgbouncer`` of this test's own, which has three connections for everybody.

    Args:
        server: the ``PostgresServer`` behind it.
    """

    def __init__(self, server):
        program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
        if program is None:
            skip_or_fail("pgbouncer", "pgbouncer is not installed: apt-get install pgbouncer")
        self.folder = Path(tempfile.mkdtemp(prefix="sessile-pgb"))
        hand_over(self.folder)
        self.port = free_port()
        config = CONFIG.format(server=server.port, port=self.port)
        (self.folder / "pgbouncer.ini").write_text(config)
        words = [program, "-q", str(self.folder / "pgbouncer.ini")]
        self._process = subprocess.Popen(
            words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **run_as(unprivileged_user()),
        )
        self._wait()

    @property
    def url(self):
        """What a store is opened with."""
        return f"postgresql://sessile@127.0.0.1:{self.port}/postgres"

    def _wait(self):
        end = time.monotonic() + WITHIN
        while time.monotonic() < end and self._process.poll() is None:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url).close()
                return
            time.sleep(0.01)
        pytest.fail("pgbouncer does not start")

    def leave(self):
        """Stop it, and remove what it had."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.leave()
