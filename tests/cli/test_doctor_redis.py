"""``sessile doctor`` looks at a Redis server: what ends sessions there, and what lets people in."""

import pytest

from harness.redis_server import RedisServer
from sessile.core.flow import Ask, run
from sessile.errors import StoreUnavailable
from sessile.stores import redis_diagnosis
from sessile.stores.finding import Mark
from sessile.stores.redis import RedisStore
from sessile.stores.redis_diagnosis import diagnose, judge_generation
from sessile.testing.sample import record
from sessile.wire.redis.endpoint import Endpoint, ErrorReply

SUBJECTS = ("version", "role", "disk", "eviction", "memory", "access", "network", "generation")


def look(url):
    """Return what is found, by its subject."""
    store = RedisStore.from_url(url)
    try:
        found = run(store.diagnose())
    finally:
        run(store.close())
    assert tuple(finding.subject for finding in found) == SUBJECTS
    return {finding.subject: finding for finding in found}


def told(finding):
    return finding.mark, finding.message


def test_server_that_is_set_well_has_no_fault(tmp_path):
    """A log that is synced, a bound without eviction, a password, and no wire to listen on."""
    options = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "50mb")
    with RedisServer(tmp_path, password="sesame-open", options=options) as server:
        found = look(server.url)

    assert {finding.mark for finding in found.values()} == {Mark.FINE}
    assert "sesame" not in str(found)


@pytest.mark.parametrize(
    ("settings", "subject", "mark", "says"),
    [
        ({"save": "3600 1"}, "disk", Mark.NOTE, "snapshots alone: a crash brings back"),
        ({"save": "3600 1"}, "disk", Mark.NOTE, "write appendonly yes and appendfsync always"),
        ({}, "disk", Mark.NOTE, "nothing is kept on disk"),
        ({"appendonly": "yes"}, "disk", Mark.NOTE, "everysec: a crash brings back"),
        ({"appendonly": "yes", "appendfsync": "no"}, "disk", Mark.NOTE, "a power cut brings"),
        ({"maxmemory-policy": "allkeys-lru"}, "eviction", Mark.NOTE, "noeviction"),
        (
            {"maxmemory": "50mb", "maxmemory-policy": "volatile-ttl"},
            "eviction",
            Mark.WRONG,
            "volatile-ttl ends sessions",
        ),
        ({}, "memory", Mark.NOTE, "write maxmemory"),
        ({"maxmemory": "1"}, "memory", Mark.WRONG, "soon every write is refused"),
        ({}, "access", Mark.NOTE, "requirepass"),
        ({}, "network", Mark.FINE, "does not leave this host"),
        ({}, "role", Mark.FINE, "primary"),
        ({}, "generation", Mark.FINE, "none before the first"),
    ],
)
def test_each_setting_is_judged(own_redis, settings, subject, mark, says):
    """What a server does now, and what to write instead."""
    own_redis.ask("CONFIG", "SET", "save", "")
    for name, value in settings.items():
        own_redis.ask("CONFIG", "SET", name, value)
    found = look(own_redis.url)[subject]

    assert (found.mark, says in found.message) == (mark, True), found


def test_replica_is_wrong_and_its_primary_is_told_of_it(own_redis, tmp_path_factory):
    """A replica takes no login; a primary with one may lose what the other has not heard of."""
    options = ("--replicaof", "localhost", str(own_redis.port), "--repl-diskless-sync-delay", "0")
    with RedisServer(tmp_path_factory.mktemp("replica"), options=options) as replica:
        role = look(replica.url)["role"]
        while "connected_slaves" not in own_redis.ask("INFO", "replication"):
            pass

    assert role.mark is Mark.WRONG
    assert "write the primary's address" in role.message


def test_what_a_user_may_not_ask_is_a_note(own_redis):
    """A managed server forbids CONFIG and more: that is no fault, and no finding is made up."""
    own_redis.ask("CONFIG", "SET", "save", "3600 1")
    own_redis.ask("ACL", "SETUSER", "default", "-config")
    assert "cannot tell whether there are snapshots" in look(own_redis.url)["disk"].message
    own_redis.ask("ACL", "SETUSER", "default", "-info")

    found = look(own_redis.url)
    for subject in ("version", "role", "disk", "eviction", "memory"):
        assert found[subject].mark is Mark.NOTE
        assert "cannot tell" in found[subject].message


def test_stranger_who_is_let_in_is_wrong_but_on_this_host(tmp_path, monkeypatch):
    """The doctor knocks without its password: a password that is not asked for helps nobody."""
    with RedisServer(tmp_path, options=("--bind", "127.0.0.1 127.0.0.2")) as server:
        url = server.url.replace("localhost", "127.0.0.2")
        assert look(url)["access"].mark is Mark.NOTE
        monkeypatch.setattr(redis_diagnosis, "_is_loopback", lambda _: False)
        found = look(url)

    assert told(found["access"])[0] is Mark.WRONG
    assert "rediss://" in found["network"].message
    assert found["network"].mark is Mark.NOTE


def test_socket_of_this_host_is_no_network(tmp_path_factory):
    """Who may open the file may ask the server."""
    with RedisServer(tmp_path_factory.mktemp("s"), unix=True) as server:
        found = look(server.url)

    assert found["network"].mark is Mark.FINE
    assert "unixsocketperm 700" in found["access"].message


@pytest.mark.parametrize(
    ("found", "any_row", "mark"),
    [
        (None, False, Mark.FINE),
        (None, True, Mark.WRONG),
        (ErrorReply.WRONG_TYPE, False, Mark.WRONG),
        (b"", True, Mark.WRONG),
        (b"x", True, Mark.FINE),
        (b"\0\0\0\0rest!", True, Mark.WRONG),
        (b"\0\0\0\7rest!", True, Mark.FINE),
    ],
)
def test_generation_is_there_where_sessions_are(found, any_row, mark):
    """Without it nobody is logged in."""
    assert judge_generation(found, "sessile:@generation", any_row).mark is mark


def test_lost_generation_beside_sessions_is_found(own_redis):
    """Whoever deleted or evicted the key logged everybody out."""
    store = RedisStore.from_url(own_redis.url)
    run(store.create(record()))
    assert look(own_redis.url)["generation"].message.startswith("number 1;")
    own_redis.ask("DEL", "sessile:@generation")

    assert look(own_redis.url)["generation"].mark is Mark.WRONG
    run(store.close())


async def turn_away(endpoint):
    return redis_diagnosis.fine("access", "")


class Answers:
    """A client of a server that says this of itself."""

    def __init__(self, text):
        self.text = text

    def ask(self, what, *words, repeat=None):
        if words[0] == "INFO":
            return Ask(what, self.text.encode)
        raise StoreUnavailable("redis://far", "not allowed")


@pytest.mark.parametrize(
    ("acks", "number", "mark"), [(1, 0, Mark.WRONG), (2, 1, Mark.WRONG), (1, 1, Mark.NOTE)]
)
def test_too_few_replicas_for_acks_are_a_fault(acks, number, mark, monkeypatch):
    """What every change waits for has to be there."""
    monkeypatch.setattr(redis_diagnosis, "_judge_access", turn_away)
    client = Answers(f"role:master\r\nconnected_slaves:{number}")
    found = {f.subject: f for f in run(diagnose(client, Endpoint("redis://far", acks=acks)))}

    assert found["role"].mark is mark


@pytest.mark.parametrize(
    ("text", "subject", "mark"),
    [
        ("redis_version:6.0.16", "version", Mark.WRONG),
        ("redis_version:6.2.0", "version", Mark.FINE),
        ("redis_version:10.0.1", "version", Mark.FINE),
        ("", "version", Mark.WRONG),
        ("aof_enabled:1\r\naof_last_write_status:err", "disk", Mark.WRONG),
        ("aof_enabled:0\r\nrdb_last_bgsave_status:err", "disk", Mark.WRONG),
        ("aof_enabled:1", "disk", Mark.NOTE),
        ("role:master\r\nconnected_slaves:2", "role", Mark.NOTE),
    ],
)
def test_what_a_server_says_is_judged(text, subject, mark, monkeypatch):
    """Versions are numbers, a failing disk is a fault, and replicas are behind."""
    monkeypatch.setattr(redis_diagnosis, "_judge_access", turn_away)
    found = {f.subject: f for f in run(diagnose(Answers(text), Endpoint("redis://far")))}

    assert found[subject].mark is mark
