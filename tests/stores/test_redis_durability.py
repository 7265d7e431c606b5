"""Redis servers that are killed and come back: what they bring back, and what is done about it."""

import logging
import shutil
import subprocess

import pytest

from harness.programs import find_program
from harness.redis_server import RedisServer
from sessile.core.flow import Ask, run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import GONE
from sessile.stores.redis import RedisStore
from sessile.stores.redis_durability import write_to_disk
from sessile.testing.sample import change, key, login, record, records_of

GENERATION = "sessile:@generation"
SNAPSHOTS = ("--save", "3600 1 300 100 60 10000")
LOG = ("--appendonly", "yes", "--appendfsync")


@pytest.fixture
def serve(tmp_path, drive):
    """Start a server with these options; give it, and a way to open stores on it."""
    with pytest.MonkeyPatch.context():
        servers, stores = [], []

        def serve(*options):
            server = RedisServer(tmp_path, options=options)
            servers.append(server)

            def connect():
                stores.append(RedisStore.from_url(server.url))
                return stores[-1]

            return server, connect

        yield serve
        for store in stores:
            drive(store.close())
        for server in servers:
            server.stop()


def crash(server):
    server.stop()
    server.start()


@pytest.fixture
def went_back(serve, drive):
    """A server that crashed behind an end of everybody, and two stores: one knows, one does not."""
    server, connect = serve(*SNAPSHOTS)
    server.ask("ACL", "SETUSER", "default", "-bgsave")  # as a server that is somebody else's
    knows = connect()
    drive(knows.replace(login(record("a", owner="alice"))))
    server.ask("SAVE")
    drive(knows.end_everybody())
    crash(server)
    drive(knows.ping())
    return server, knows, connect()


def test_crash_brings_nobody_back_that_ended_with_everybody(serve, drive):
    """A server with its shipped persistence is asked for a snapshot, and waited for."""
    server, connect = serve(*SNAPSHOTS)
    store = connect()
    drive(store.create(record("a")))
    server.ask("SAVE")

    assert drive(store.end_everybody()) is None
    drive(store.create(record("b")))
    crash(server)
    assert drive(connect().read(key("a"))) is None


def test_crash_brings_back_whoever_logged_out_since_the_snapshot(serve, drive):
    """Nothing but the server's setting helps a single logout: this is why the doctor warns."""
    server, connect = serve(*SNAPSHOTS)
    drive(connect().create(record("a")))
    server.ask("SAVE")
    drive(connect().delete(key("a")))
    crash(server)

    assert drive(connect().read(key("a"))) == record("a")


@pytest.mark.parametrize("rule", ["always", "no"])
def test_killed_server_with_a_log_keeps_what_it_acknowledged(serve, drive, rule):
    """The kernel has the log before the answer leaves. With ``everysec`` a sync may delay that."""
    server, connect = serve(*LOG, rule)
    store = connect()
    for name in "ab":
        drive(store.create(record(name)))
    drive(store.delete(key("a")))
    crash(server)

    assert drive(connect().read(key("a"))) is None
    assert drive(connect().read(key("b"))) == record("b")


@pytest.mark.parametrize("options", [SNAPSHOTS, (*LOG, "always")], ids=["snapshots", "log"])
def test_restored_server_brings_back_the_ended_until_everybody_ends(serve, drive, options):
    """The steps of the page: who logged out since is back, and after the end stays out."""
    server, connect = serve(*options)
    drive(connect().create(record("a")))
    backup, folder = server.folder / "backup.rdb", server.folder
    client = find_program("redis-cli", "redis", "apt-get install redis-tools")
    words = [client, "-p", str(server.port), "--rdb", str(backup)]
    subprocess.run(words, check=True, capture_output=True)
    drive(connect().delete(key("a")))
    server.stop()
    shutil.copy(backup, folder / "dump.rdb")
    shutil.rmtree(folder / "appendonlydir", ignore_errors=True)
    server.start(options=())

    assert drive(connect().read(key("a"))) == record("a")
    assert drive(connect().end_everybody()) is None
    server.ask("CONFIG", "SET", "appendonly", "yes")
    assert drive(connect().read(key("a"))) is None


@pytest.mark.parametrize(
    ("options", "denied", "says"),
    [
        (SNAPSHOTS, "-bgsave", "redis-cli BGSAVE"),
        (SNAPSHOTS, "-info", "does not say what it keeps"),
        ((*LOG, "always"), "-config", "set appendfsync always"),
        ((*LOG, "everysec"), "-ping", "within the next two seconds"),
        ((*LOG, "no"), "-ping", "set appendfsync always"),
    ],
)
def test_end_that_may_be_undone_says_why(serve, drive, options, denied, says):
    """An operator is told what the server cannot promise, or does not say."""
    server, connect = serve(*options)
    server.ask("ACL", "SETUSER", "default", denied)

    assert says in drive(connect().end_everybody())


@pytest.mark.parametrize(
    "options", [(), (*LOG, "always"), SNAPSHOTS], ids=["nothing", "log", "snapshots"]
)
def test_end_that_holds_says_nothing(serve, drive, options):
    """Kept on disk, or nothing is: a server that forgets everybody brings nobody back."""
    _, connect = serve(*options)

    assert drive(connect().end_everybody()) is None


def test_old_snapshot_of_a_server_that_makes_none_is_replaced(serve, drive):
    """A file that was loaded once is loaded again, so it has to know of the end."""
    server, connect = serve()
    drive(connect().create(record("a")))
    server.ask("SAVE")
    crash(server)

    assert drive(connect().end_everybody()) is None
    crash(server)
    assert drive(connect().read(key("a"))) is None


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (lambda store: store.read(key("a")), None),
        (lambda store: store.commit(change(record("a", owner="alice"))), GONE),
        (lambda store: store.replace(login(record("b"), old=record("a", owner="alice"))), GONE),
        (lambda store: store.delete(key("a")), None),
    ],
    ids=["read", "commit", "replace", "delete"],
)
def test_older_generation_is_refused(went_back, drive, act, answer):
    """Whoever has seen the newer one takes no row of the one that came back, by any act."""
    _, knows, _ = went_back

    assert drive(act(knows)) == answer
    assert drive(knows.read(key("a"))) is None


def test_older_generation_lists_nobody(went_back, drive):
    """No session of it is a user's, or anybody's."""
    _, knows, _ = went_back

    assert records_of(knows, drive, "alice") == []
    assert drive(knows.scan()).records == []


@pytest.mark.parametrize("act", ["read", "create", "login", "scan"])
def test_newer_generation_is_begun_for_everybody(went_back, drive, act):
    """After the first act of one that knows, those who know nothing refuse the old rows too."""
    server, knows, newcomer = went_back
    old = server.ask("GET", GENERATION)
    assert drive(newcomer.read(key("a"))) is not None  # nobody has told it
    acts = {
        "read": lambda: knows.read(key("a")),
        "create": lambda: knows.create(record("b")),
        "login": lambda: knows.replace(login(record("b", owner="bob"))),
        "scan": knows.scan,
    }
    drive(acts[act]())

    assert drive(newcomer.read(key("a"))) is None
    assert server.ask("GET", GENERATION)[:4] == (int.from_bytes(old[:4]) + 2).to_bytes(4)


def test_loss_is_logged_once(went_back, drive, caplog):
    """The operator is told that the server lost data, by whoever noticed first."""
    _, knows, newcomer = went_back
    drive(knows.read(key("a")))
    drive(knows.read(key("a")))
    drive(newcomer.read(key("a")))

    (line,) = [entry for entry in caplog.records if entry.levelno >= logging.ERROR]
    assert "has lost data that it had acknowledged" in line.getMessage()


def test_session_made_after_the_loss_lives(went_back, drive):
    """Whoever logs in again is served by all."""
    _, knows, newcomer = went_back
    drive(knows.create(record("b")))

    assert drive(knows.read(key("b"))) == drive(newcomer.read(key("b"))) == record("b")


def test_late_answer_is_no_alarm(store, server, drive, caplog):
    """An answer from before the end that arrives after it ends nobody; the server decides."""
    drive(store.create(record("a")))
    late = server.ask("GET", GENERATION)
    drive(store.read(key("a")))
    drive(store.end_everybody())
    drive(store.create(record("b")))
    newest = server.ask("GET", GENERATION)

    assert drive(store._seen.follow(late)) == newest
    assert server.ask("GET", GENERATION) == newest
    assert caplog.records == []


def test_end_that_was_lost_at_once_is_an_error(store, server, drive, monkeypatch):
    """A server that crashed between its answer and the disk has ended nobody."""
    drive(store.create(record("a")))
    old = server.ask("GET", GENERATION)

    async def crash_meanwhile(client):
        server.ask("SET", GENERATION, old)

    monkeypatch.setattr("sessile.stores.redis.write_to_disk", crash_meanwhile)
    with pytest.raises(StoreUnavailable, match="ask again"):
        drive(store.end_everybody())
    assert drive(store.read(key("a"))) is None


@pytest.mark.parametrize("planted", [b"", b"x", b"\0\0\0\0", b"\0\0\0\0rest"])
def test_planted_generation_opens_nothing(store, server, drive, planted):
    """What is no generation is none: no row is of it."""
    drive(store.create(record("a")))
    drive(store.read(key("a")))
    server.ask("SET", GENERATION, planted)

    assert drive(store.read(key("a"))) is None
    drive(store.create(record("b")))
    assert drive(store.read(key("b"))) == record("b")


class Server:
    """A client of a server that has newer commands: answers by the first word, in turn."""

    def __init__(self, **answers):
        self.answers = {word: list(given) for word, given in answers.items()}

    def ask(self, what, *words, repeat=None):
        def answer():
            given = self.answers.get(words[0])
            if given is None:
                raise StoreUnavailable("redis://far", f"unknown command {words[0]}")
            found = given.pop(0) if len(given) > 1 else given[0]
            if isinstance(found, Exception):
                raise found
            return found

        return Ask(what, answer)


@pytest.fixture
def no_pause(monkeypatch):
    """No pause takes time."""
    nothing = Ask("pause", lambda: None)
    monkeypatch.setattr("sessile.stores.redis_durability.pause", lambda _: nothing)


LOGGED = [b"aof_enabled:1\r\n"]
BUSY = StoreUnavailable("redis://far", "Background save already in progress")


@pytest.mark.usefixtures("no_pause")
@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"INFO": LOGGED, "WAITAOF": [[0, 0], [0, 0], [1, 0]]}, None),
        ({"INFO": LOGGED, "WAITAOF": [[0, 0]]}, "did not write its log to disk within 5 s"),
        ({"INFO": LOGGED, "CONFIG": [[b"appendfsync", b"always"]]}, None),
        ({"INFO": LOGGED}, "does not say that its log"),
        ({"INFO": [b"aof_enabled:0\r\nrdb_bgsave_in_progress:1\r\n"]}, "it is not done yet"),
        (
            {
                "INFO": [b"rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:err\r\n"],
                "BGSAVE": [b"started"],
            },
            "it failed",
        ),
        (
            {
                "INFO": [b"rdb_bgsave_in_progress:0\r\nrdb_last_bgsave_status:ok\r\n"],
                "BGSAVE": [BUSY, b"started"],
            },
            None,
        ),
    ],
)
def test_disk_is_waited_for_within_a_limit(answers, says):
    """The log is waited for where the server can, the snapshot is ours, and the wait is bounded."""
    risk = run(write_to_disk(Server(**answers)))

    assert (risk is None) if says is None else (says in risk)
