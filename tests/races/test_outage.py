"""The store fails in mid-session: an honest 503 within the limit, and nobody is logged out."""

import sqlite3
import time
from contextlib import closing, contextmanager

import pytest

from harness.handlers import reads
from harness.redis_server import RedisServer
from harness.sites import serve

KEEPS = ("--appendonly", "yes", "--appendfsync", "always")
LIMIT = 0.5
MARGIN = 1.5  # a busy machine schedules threads when it can; a hang would be forever


def puts(session):
    session["v"] = 2


def start(session):
    session["v"] = 1
    session.login("alice")


def timed(ask):
    began = time.monotonic()
    reply = ask()
    return reply, time.monotonic() - began


def check_refused(reply, took):
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.headers["cache-control"] == "no-store"
    assert reply.set_cookie is None
    assert took < LIMIT + MARGIN


@pytest.mark.parametrize("act", [reads, puts])
def test_killed_server_is_503_and_the_session_comes_back_with_it(interface, tmp_path, act):
    """While Redis is gone the answer is 503; once it is back so is the session."""
    with RedisServer(tmp_path, options=KEEPS) as redis, serve(interface, redis.url) as site:
        cookie = site.ask(start).cookie
        redis.stop()
        check_refused(*timed(lambda: site.ask(act, cookie)))
        redis.start()

        assert site.values(cookie) == {"v": 1}


def test_frozen_server_is_503_within_the_limit(interface, tmp_path):
    """A Redis that takes connections and answers nothing costs a client no more than the limit."""
    with RedisServer(tmp_path) as redis, serve(interface, redis.url) as site:
        cookie = site.ask(start).cookie
        redis.freeze()
        try:
            check_refused(*timed(lambda: site.ask(reads, cookie)))
            check_refused(*timed(lambda: site.ask(puts, cookie)))
        finally:
            redis.thaw()

        assert site.values(cookie) == {"v": 1}


def test_server_that_dies_between_read_and_write_is_503(interface, tmp_path):
    """A request whose session was loaded and cannot be saved is answered 503, not 200."""
    with RedisServer(tmp_path, options=KEEPS) as redis, serve(interface, redis.url) as site:
        cookie = site.ask(start).cookie
        with site.held(puts, cookie) as late:
            redis.stop()
        reply = late.result()
        redis.start()

        assert (reply.status, reply.set_cookie) == (503, None)
        assert site.values(cookie) == {"v": 1}


def test_visitors_without_a_session_do_not_notice(interface, tmp_path):
    """Who carries no cookie and stores nothing is served while the store is gone."""
    with RedisServer(tmp_path) as redis, serve(interface, redis.url) as site:
        redis.stop()

        assert site.ask(reads).status == 200


def test_locked_file_refuses_writers_and_serves_readers(interface, tmp_path):
    """While another process holds SQLite's write lock, readers read on and writers get 503."""
    file = tmp_path / "sessile.db"
    with serve(interface, f"sqlite:///{file}") as site:
        cookie = site.ask(start).cookie
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert site.values(cookie) == {"v": 1}
            check_refused(*timed(lambda: site.ask(puts, cookie)))
            other.execute("ROLLBACK")

        assert site.ask(puts, cookie).status == 200
        assert site.values(cookie) == {"v": 2}


def lock_file(file):
    """Hold the write lock of an SQLite file, as a VACUUM or another process's transaction does."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other.close


def fill_memory(redis):
    """Let a Redis refuse whatever takes memory."""
    redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    redis.ask("CONFIG", "SET", "maxmemory", "1mb")
    return lambda: redis.ask("CONFIG", "SET", "maxmemory", "0")


def demote(redis):
    """Let a Redis be a replica, which takes no writes, of a server that is not there."""
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    return lambda: redis.ask("REPLICAOF", "NO", "ONE")


@contextmanager
def fresh_redis(folder):
    with RedisServer(folder) as redis:
        yield redis.url, redis


@contextmanager
def fresh_file(folder):
    yield f"sqlite:///{folder}/sessile.db", folder / "sessile.db"


@pytest.mark.parametrize(
    ("place", "refuse_writes"),
    [(fresh_file, lock_file), (fresh_redis, fill_memory), (fresh_redis, demote)],
)
@pytest.mark.parametrize("age", [0, 91, 901])
def test_pages_are_served_while_nothing_can_be_written(
    interface, tmp_path, place, refuse_writes, age
):
    """Who changes nothing is served, though a note or a clock is due; who does gets 503."""
    with place(tmp_path) as (url, backend), serve(interface, url) as site:
        cookie = site.ask(start).cookie
        if age:
            site.ask(reads, cookie)
        site.clock.advance(age)
        accept_writes = refuse_writes(backend)
        reply, took = timed(lambda: site.ask(reads, cookie))
        assert (reply.status, reply.set_cookie) == (200, None)
        assert took < LIMIT + MARGIN
        check_refused(*timed(lambda: site.ask(puts, cookie)))
        accept_writes()

        assert site.values(cookie) == {"v": 1}
        assert site.ask(puts, cookie).status == 200
