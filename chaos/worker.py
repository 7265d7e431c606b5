"""One worker process: the application of a chaos run, over a store that loses answers.

It says its port when it is ready, and ends when its standard input does.
"""

import json
import os
import random
import resource
import signal
import socket
import sys
import threading
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from chaos.workers import FULL, ROOM
from sessile import Cookie, Limit, Outage, Policy, Sessions
from sessile.errors import LoginNeeded, StoreUnavailable
from sessile.stores.contract import COMMITTED, Capability
from sessile.stores.near import NearStore
from sessile.stores.open import open_store
from sessile.stores.url_options import split_options
from sessile.testing.world import SECRET
from sessile.web.asgi import SessionMiddleware

ACTS = frozenset(("read", "create", "commit", "replace", "delete", "keys_of", "owned_by"))
FULL_SIZE = 1 << 18
"""Bytes behind which nothing can be written while a worker finds the disk full."""

OUTAGE_READS = 4.0
"""Seconds for which readers are served from copies while the store fails, where there are any."""

BROKEN_RATE = 0.5
SLOW_RATE = 0.1
CRASH = "crash"
CRASH_RATE = 0.02
SINGLE = "single"
"""How the names of those begin who may have one session."""


class LossyStore:
    """A store whose acts fail now and then: they were carried out, or they were not.

    Args:
        store: the sound one.
        chance: decides.
        rate: the share of acts that fail.
        broken: the act that now and then is acknowledged and not carried out; ``CRASH`` for acts
            that fail otherwise than a store may; "" for none.
    """

    def __init__(self, store, chance, rate, broken=""):
        self._store = store
        self._chance = chance
        self._rate = rate
        self._broken = broken
        self.capabilities = store.capabilities
        self.name = store.name

    def __getattr__(self, name):
        act = getattr(self._store, name)
        return self._fail_sometimes(name, act) if name in ACTS else act

    def open_feed(self, timer, wanted):
        """Connect to its feed, which is slow now and then."""
        return SlowFeed(self._store.open_feed(timer, wanted), self._chance)

    def _fail_sometimes(self, name, act):
        async def perform(*words, **more):
            lost, done, lies = (self._chance.random() for _ in range(3))
            if name == self._broken and lies < BROKEN_RATE:
                return COMMITTED if name == "commit" else None
            if self._broken == CRASH and lies < CRASH_RATE:
                raise RuntimeError("nobody handles it")
            if lost >= self._rate:
                return await act(*words, **more)
            if done < 0.5:
                await act(*words, **more)
            raise StoreUnavailable(self.name, "its answer was lost")

        return perform


class SlowFeed:
    """A feed that now and then tells a quarter of a second late.

    Args:
        feed: the quick one.
        chance: decides.
    """

    def __init__(self, feed, chance):
        self._feed = feed
        self._chance = chance
        self.close = feed.close

    def wait(self, seconds):
        """Hear, and tell it some time later."""
        heard = self._feed.wait(seconds)
        if self._chance.random() < SLOW_RATE:
            time.sleep(0.25)
        return heard


def limit_for(user):
    """Allow some users one session, and the others any number."""
    return Limit(1) if user.startswith(SINGLE) else None


def handle(session, verb, given, life):
    """Do what was asked for."""
    match verb:
        case "login":
            session.login(given)
        case "step up":
            session.step_up(given, factors=("totp",))
        case "rotate":
            session.rotate()
        case "logout":
            session.logout()
        case "read":
            return
        case _:
            session.setdefault("life", life)
            change(session, verb, given)


def change(session, verb, given):
    """Change a value."""
    if verb == "add one to a counter":
        session.increment("count")
    elif verb == "set a key":
        key, _, value = given.partition("=")
        session[f"k.{key}"] = value
    else:
        session.setdefault("items", []).append(given)


def show(session):
    """Return what a client is shown."""
    return {
        "life": session.get("life", ""),
        "user": session.user,
        "items": session.get("items", []),
        "count": session.get("count", 0),
        "values": {key[2:]: session[key] for key in session if key.startswith("k.")},
    }


def application(sessions):
    """Return the application."""

    async def ask(request: Request):
        words = request.query_params
        if words["verb"] == "end all":
            return JSONResponse(await sessions.end_all(words["given"]))
        if words["verb"] == "count":
            return JSONResponse(len(await sessions.of(words["given"])))
        try:
            handle(request.session, words["verb"], words["given"], words["life"])
        except LoginNeeded:
            return JSONResponse(None, 401)
        return JSONResponse(show(request.session))

    app = Starlette(routes=[Route("/", ask, methods=["POST"])])
    app.add_middleware(SessionMiddleware, sessions=sessions)
    return app


def main(words):
    """Serve until standard input ends.

    Args:
        words: ``url``, ``seed``, ``rate`` and ``broken``, as JSON.
    """
    given = json.loads(words)
    url, options = split_options(given["url"])
    chance = random.Random(given["seed"])
    store = LossyStore(open_store(url), chance, given["rate"], given["broken"])
    has_copies = options.near is not None
    if has_copies:
        store = NearStore(store, options.near)
    limit = limit_for if Capability.OWNERS in store.capabilities else None
    sessions = Sessions(
        store=store,
        secrets=[SECRET],
        cookie=Cookie(secure=False),
        policy=Policy(
            limit=limit,
            outage=Outage.READ if has_copies else Outage.FAIL,
            outage_reads=OUTAGE_READS,
        ),
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    config = uvicorn.Config(application(sessions), log_level="critical", lifespan="off")
    threading.Thread(target=end_with_parent, daemon=True).start()
    signal.signal(FULL, fill_disk)
    signal.signal(ROOM, fill_disk)
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listener])


def fill_disk(number, _frame):
    """Let nothing be written but the first pages of a file, or let files grow again."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL_SIZE if number == FULL else most, most))


def end_with_parent():
    """End this process when the one that started it is gone."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
