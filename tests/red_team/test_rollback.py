"""A thief waits for the server to crash: what ended with everybody stays ended all the same."""

import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness.handlers import who
from harness.redis_server import RedisServer
from harness.sites import serve
from red_team.attack import weakened_by
from sessile.core.flow import run
from sessile.core.ticket import Key
from sessile.stores import redis
from sessile.stores.redis_generation import SeenGeneration

AS_SHIPPED = ("--save", "3600 1 300 100 60 10000")


@contextmanager
def crashing_server(interface, _, **options):
    """Serve a site on a Redis of its own that keeps snapshots, as it does when nothing is set."""
    with (
        tempfile.TemporaryDirectory() as place,
        RedisServer(Path(place), options=AS_SHIPPED) as server,
        serve(interface, f"{server.url}?timeout=20", **options) as site,
    ):
        site.server = server
        yield site


def crash(server):
    server.stop()
    server.start()


def stolen_cookie(site):
    """Return the cookie of a session that is in the server's last snapshot."""
    cookie = site.ask(lambda session: session.login("alice")).cookie
    site.ask(who, cookie)
    site.server.ask("SAVE")
    return cookie


def nothing_is_written_down(patch):
    """A new generation is as durable as the server's next snapshot."""

    async def hope(client):
        return None

    patch.setattr(redis, "write_to_disk", hope)


@weakened_by(nothing_is_written_down, serve=crashing_server)
def test_a67_crash_brings_nobody_back(site):
    """A process that starts after the crash, and has seen nothing, finds no session either."""
    cookie = stolen_cookie(site)
    site.sessions.sync.end_everybody()
    crash(site.server)
    newcomer = redis.RedisStore.from_url(site.server.url)
    found = run(newcomer.read(Key(cookie.partition("=")[2][:20])))
    run(newcomer.close())

    assert found is None


def older_generation_is_believed(patch):
    """What the server shows is the generation, whatever it showed before."""

    async def believe(seen, found):
        return found

    patch.setattr(SeenGeneration, "follow", believe)


@weakened_by(older_generation_is_believed, serve=crashing_server)
def test_a67_server_that_went_back_is_not_believed(site):
    """Where no snapshot could be had, a process that saw the end refuses what comes back."""
    cookie = stolen_cookie(site)
    site.server.ask("ACL", "SETUSER", "default", "-bgsave")
    site.sessions.sync.end_everybody()
    assert site.ask(who, cookie).json is None
    crash(site.server)

    assert site.ask(who, cookie).json is None
