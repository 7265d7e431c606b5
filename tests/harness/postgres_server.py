"""Real Postgres servers: started here, on ports of their own, in folders of their own.

``initdb`` and ``postgres`` refuse to run as root, so there they run as the user that the Debian
package made, or as nobody.
"""

import atexit
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from harness.programs import check_servers_are_meant, find_program, free_port

STARTS_WITHIN = 30.0
SETTINGS = (
    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200",
    "shared_buffers=16MB", "autovacuum=off", "listen_addresses=127.0.0.1", "max_wal_size=32MB",
    "min_wal_size=2MB", "wal_writer_delay=10s", "timezone=UTC",
    "log_min_messages=error", "log_min_error_statement=panic",
)  # fmt: skip
ACCESS = """\
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
local all all trust
host replication all 127.0.0.1/32 trust
"""


class PostgresServer:
    """A ``postgres`` of this test's own, which trusts everybody but the user ``guarded``.

    Args:
        standby_of: another server, whose standby it is.
        settings: more of its settings, ``name=value``.
    """

    def __init__(self, *, standby_of=None, settings=()):
        check_servers_are_meant()
        self._program = server_program("postgres")
        self.folder = Path(tempfile.mkdtemp(prefix="sessile-pg"))
        self.data = self.folder / "data"
        self._process = self._connection = None
        self._settings = (*SETTINGS, *settings)
        self._user = unprivileged_user()
        hand_over(self.folder)
        try:
            if standby_of is None:
                shutil.copytree(_fresh_cluster(), self.data)
            else:
                self._copy(standby_of)
            for path in (self.data, *self.data.rglob("*")):
                hand_over(path)
            (self.data / "pg_hba.conf").write_text(ACCESS)
            for _ in range(20):  # until nobody else takes the port between our look and its start
                self.port = free_port()
                if self._began():
                    return
            pytest.fail(f"postgres does not start:\n{self.log()}")
        except BaseException:
            self.leave()
            raise

    @property
    def url(self):
        """What a store is opened with."""
        return self.url_of("postgres")

    def url_of(self, database):
        """Return what a store in that database is opened with."""
        return f"postgresql://sessile@127.0.0.1:{self.port}/{database}"

    def start(self):
        """Start again where it was."""
        if not self._began():
            pytest.fail(f"postgres does not start:\n{self.log()}")

    def stop(self):
        """Kill it, with all of its processes."""
        self._hang_up()
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def freeze(self):
        """Let it take connections and bytes and answer nothing."""
        pids = [self._process.pid]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            pids += [child for child in _children(pid) if child not in pids]
        self._frozen = pids

    def thaw(self):
        """Let it go on."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def kill(self):
        """Kill all of its processes at once, none of which can tidy up."""
        self._hang_up()
        if self._process.poll() is None:
            self.freeze()  # so that none is born meanwhile
            for pid in self._frozen:
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def limit_files(self, size=None):
        """Let no file of it grow beyond that, as on a full disk; None sets no limit."""
        pids = [self._process.pid]
        for pid in pids:
            limit = f"--fsize={'unlimited' if size is None else size}:unlimited"
            # by its own user: a root without capabilities may not
            subprocess.run(["prlimit", "--pid", str(pid), limit], **run_as(self._user), check=False)
            pids += [child for child in _children(pid) if child not in pids]

    def lives(self):
        """Tell whether it answers, or will when it has recovered."""
        return self._process.poll() is None

    def ask(self, statement, *values, database=None):
        """Return the rows of a statement; None where it gives none."""
        if database is not None:
            with self.connect(dbname=database) as connection:
                answer = connection.execute(statement, values)
                return answer.fetchall() if answer.description else None
        if self._connection is None:
            self._connection = self.connect()
        answer = self._connection.execute(statement, values)
        return answer.fetchall() if answer.description else None

    def connect(self, **words):
        """Connect to it, beside the store."""
        place = {"host": "127.0.0.1", "port": self.port, "user": "sessile", "dbname": "postgres"}
        return psycopg.connect(**place | words, autocommit=True)

    def connections(self):
        """Return how many are open besides the one that asks."""
        ((number,),) = self.ask(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return number

    def promote(self):
        """Make it a primary."""
        self.ask("SELECT pg_promote()")

    def log(self):
        """Return what it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def leave(self):
        """Stop it, and remove what it had."""
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _hang_up(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _copy(self, primary):
        command = [
            "-h",
            "127.0.0.1",
            "-p",
            str(primary.port),
            "-U",
            "sessile",
            "-D",
            str(self.data),
        ]
        self._run(server_program("pg_basebackup"), *command, "-R", "--no-sync", "-c", "fast")

    def _run(self, *command):
        run_program(self._user, *command)

    def _began(self):
        command = [self._program, "-D", str(self.data), "-p", str(self.port)]
        command += ["-k", str(self.folder)]
        for setting in self._settings:
            command += ["-c", setting]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **run_as(self._user))
        return self._answers()

    def _answers(self):
        end = time.monotonic() + STARTS_WITHIN
        while self._process.poll() is None:
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1")
                lock = (self.data / "postmaster.pid").read_text().splitlines()
                return int(lock[0]) == self._process.pid
            if time.monotonic() > end:
                break
            time.sleep(0.01)
        self._process.kill()
        self._process.wait()
        self._process = None
        return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.leave()


def server_program(name):
    """Return the path of one of the server's programs; Debian has them on no PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if places and shutil.which(name) is None:
        return str(places[-1])
    return find_program(name, "postgres", "apt-get install postgresql")


def unprivileged_user():
    """Return who the server runs as; None is whoever runs the tests."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return pytest.fail("there is no user postgres, and no nobody, to run the server as")


def hand_over(path):
    """Make a file the one of whoever the server runs as."""
    user = unprivileged_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def run_as(user):
    """Return what starts a process as that user."""
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def run_program(user, *command):
    done = subprocess.run(command, check=False, capture_output=True, cwd="/", **run_as(user))
    if done.returncode:
        pytest.fail(f"{command[0]} failed:\n{done.stdout.decode()}{done.stderr.decode()}")


@functools.cache
def _fresh_cluster():
    """Return the folder of a cluster that nobody has used: to make one takes a second."""
    user = unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="sessile-pg"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    hand_over(folder)
    words = ["-U", "sessile", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-N"]
    words += ["--wal-segsize", "1"]
    run_program(user, server_program("initdb"), "-D", str(folder / "data"), *words)
    return folder / "data"


def _children(pid):
    with suppress(OSError):
        tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(child) for child in tasks.split()]
    return []


@functools.cache
def shared_postgres():
    """Return the server that all tests of this process share, each with a table of its own."""
    server = PostgresServer()
    atexit.register(server.leave)
    return server


@pytest.fixture
def postgres_server():
    """The shared server, running and not frozen; a test that stops it starts it again."""
    return shared_postgres()


@pytest.fixture
def fresh_database(postgres_server):
    """The name of an empty database on the shared server; its roles are this test's as well."""
    for statement in (*DROP, "CREATE DATABASE fresh", "CREATE ROLE stranger LOGIN"):
        postgres_server.ask(statement)
    postgres_server.ask("CREATE ROLE guarded LOGIN PASSWORD 'another'")
    yield "fresh"
    for statement in DROP:
        postgres_server.ask(statement)


DROP = (
    "DROP DATABASE IF EXISTS fresh WITH (FORCE)",
    "DROP ROLE IF EXISTS stranger",
    "DROP ROLE IF EXISTS guarded",
)


@pytest.fixture
def own_postgres():
    """A server that this test may stop, freeze and change."""
    with PostgresServer() as server:
        yield server
