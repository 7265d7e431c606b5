"""The application of a worker: ``uvicorn --factory benchmarks.cluster.site:make_app``.

It does what ``chaos`` asks for, and has pages of its own, which answer a number or words in JSON.
"""

import os
import threading

from chaos.worker import application, end_with_parent
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from sessile import Cookie, Outage, Policy, Sessions
from sessile.stores.contract import Capability
from sessile.stores.near import near_cache
from sessile.stores.open import open_store

URL, SECRETS, READS = "CLUSTER_URL", "CLUSTER_SECRETS", "CLUSTER_OUTAGE_READS"
"""Variables: the store's URL, "" for no sessions; its secrets; how long readers are spared."""

TEXT, NUMBER, ITEMS, WRITERS = "text", "n", "items", ("a", "b")


def start(session, words):
    """Begin a session with so many bytes of text, in hexadecimal."""
    session[TEXT] = os.urandom(int(words.get("bytes", "1000")) // 2).hex()
    session[NUMBER] = 0
    return 0


def read(session, _words):
    """Show the number; -1 where there is no session."""
    return session.get(NUMBER, -1)


def write(session, _words):
    """Count on."""
    session[NUMBER] = number = session.get(NUMBER, -1) + 1
    return number


def put(session, words):
    """Set one of two keys."""
    session[words["key"]] = words["value"]
    return words["value"]


def add(session, words):
    """Append an item."""
    session.setdefault(ITEMS, []).append(words["item"])
    return words["item"]


def rewrite(session, words):
    """Put another text in the place of the one that is there."""
    start(session, words)
    return 0


PAGES = {"start": start, "read": read, "write": write, "put": put, "add": add, "rewrite": rewrite}


def page(act):
    """Return a handler that answers what an act returns."""

    async def answer(request):
        return PlainTextResponse(str(act(request.session, request.query_params)))

    return answer


async def say_zero(_request):
    """Answer as a page that has no session."""
    return PlainTextResponse("0")


async def show_values(request):
    """Answer what two writers have set, and the items; each is null where it is not there."""
    return JSONResponse([request.session.get(key) for key in (*WRITERS, ITEMS)])


def route(name, handler):
    """Return the way to a page."""
    return Route(f"/{name}", handler, methods=["GET", "POST"])


def figures_of(store):
    """Return a handler that tells how many sessions a worker has in its memory, and used there."""
    near = near_cache(store)

    async def answer(_request):
        return JSONResponse([near.copies, near.hits] if near else [None, 0])

    return answer


def make_app():
    """Build the application that the environment asks for."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    url = os.environ[URL]
    if not url:
        return Starlette(routes=[route(name, say_zero) for name in (*PAGES, "health")])
    store = open_store(url)
    app = application(sessions_of(store))
    app.router.routes += [route(name, page(act)) for name, act in PAGES.items()]
    app.router.routes += [Route("/values", show_values), Route("/health", say_zero)]
    app.router.routes += [Route("/figures", figures_of(store))]
    return app


def sessions_of(store):
    """Return the sessions of a store; readers are spared an outage where there are copies."""
    has_copies = Capability.COPIES in store.capabilities
    policy = Policy(
        outage=Outage.READ if has_copies else Outage.FAIL, outage_reads=float(os.environ[READS])
    )
    secrets = os.environ[SECRETS].split(",")
    return Sessions(store=store, secrets=secrets, cookie=Cookie(secure=False), policy=policy)
