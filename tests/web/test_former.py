"""From SQLite to Redis while people are at work: nobody is logged out, and no write is lost."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.handlers import adds, logs_in, logs_out, reads, start, who
from harness.sites import INTERFACES, serve
from sessile import Policy
from sessile.cli.copy import copy

CLIENTS, ROUNDS = 12, 8
POLICY = Policy(limit=CLIENTS)


@pytest.fixture(params=INTERFACES)
def interface(request):
    return request.param


@pytest.fixture
def urls(tmp_path, redis_server):
    """The file, and a place on the server: with time enough for a machine that is busy."""
    redis = f"{redis_server.url}?prefix={tmp_path.name}:&timeout=10"
    return f"sqlite:///{tmp_path}/sessile.db?timeout=10", redis


def test_everybody_stays_logged_in_and_no_write_is_lost(interface, urls, capsys):
    """Sessions move with their requests and by the command, both at once, under parallel writes."""
    old, new = urls
    with serve(interface, old, policy=POLICY) as site:
        cookies = [start(site) for _ in range(CLIENTS)]
        for cookie in cookies:
            site.ask(adds, cookie)
    with serve(interface, new, former=old, policy=POLICY) as site:
        command = threading.Thread(target=copy, args=(old, new))
        with ThreadPoolExecutor(8) as pool:
            asked = pool.map(lambda cookie: site.ask(adds, cookie), cookies * ROUNDS)
            command.start()
            list(asked)
        command.join()
        assert set(site.statuses) == {200}
        assert [site.values(cookie) for cookie in cookies] == [{"hits": ROUNDS + 1}] * CLIENTS
        assert len(site.sessions.sync.of("alice")) == CLIENTS
    assert "carried over to redis://" in capsys.readouterr().out
    with serve(interface, new, policy=POLICY) as site:
        assert {site.ask(who, cookie).json for cookie in cookies} == {"alice"}


def test_limits_ends_and_logouts_see_both(interface, urls):
    """What has not moved yet counts, is listed, and ends with the others."""
    old, new = urls
    with serve(interface, old) as site:
        cookies = [start(site, cart=["hat"]) for _ in range(3)]
    with serve(interface, new, former=old, policy=Policy(limit=3)) as site:
        newest = site.ask(logs_in).cookie
        assert [site.ask(who, cookie).json for cookie in cookies] == [None, "alice", "alice"]
        assert site.ask(reads, cookies[1]).json == {"cart": ["hat"]}
        site.ask(logs_out, cookies[1])
        assert site.ask(who, cookies[1]).json is None
        assert site.sessions.sync.end_all("alice") == 2
        assert {site.ask(who, cookie).json for cookie in (*cookies, newest)} == {None}


def test_former_store_that_is_gone_is_an_outage_for_strangers_alone(tmp_path, urls, own_redis):
    """Who has moved is served; of anybody else nobody knows whether they have a session."""
    _, new = urls
    former = f"{own_redis.url}?timeout=1"
    with serve("asgi", former) as site:
        moved, left = start(site), start(site)
    with serve("asgi", new, former=former) as site:
        assert site.ask(who, moved).json == "alice"
        own_redis.stop()
        assert site.ask(who, moved).json == "alice"
        assert site.ask(who, left).status == 503
        assert site.ask(who).json is None


def test_second_start_moves_what_is_left(urls, monkeypatch):
    """A setting says the same as the option, and a file that is empty by now is no trouble."""
    old, new = urls
    with serve("asgi", old) as site:
        cookie = start(site)
    monkeypatch.setenv("SESSILE_FORMER_URL", old)
    for _ in range(2):
        with serve("asgi", new) as site:
            assert site.ask(who, cookie).json == "alice"
