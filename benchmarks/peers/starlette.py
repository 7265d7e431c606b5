"""Applications on Starlette."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.peers import DATA, PAGES
from benchmarks.peers.sessile import make_sessions


def make(option, redis, folder):
    pages = PLAIN if option == "none" else STARSESSIONS if option == "starsessions" else OURS
    if option == "cookie":
        pages = COOKIE
    if "lazy" in option:
        pages = LAZY
    routes = [Route(f"/{page}", handler(pages[page])) for page in PAGES]
    return Starlette(routes=routes, middleware=middleware(option, redis, folder))


def middleware(option, redis, folder):
    if option == "none":
        return []
    if option == "cookie":
        from starlette.middleware.sessions import SessionMiddleware

        return [Middleware(SessionMiddleware, secret_key="bench" * 8)]
    if option == "starsessions":
        from starsessions import SessionMiddleware
        from starsessions.stores.redis import RedisStore

        store = RedisStore(redis, prefix="ss:")
        return [
            Middleware(
                SessionMiddleware, store=store, lifetime=3600, rolling=True, cookie_https_only=False
            )
        ]
    from sessile.web.asgi import SessionMiddleware

    load = "lazy" if "lazy" in option else "eager"
    return [Middleware(SessionMiddleware, sessions=make_sessions(option, redis, folder), load=load)]


def handler(act):
    async def page(request):
        await act(request)
        return PlainTextResponse("ok")

    return page


async def nothing(request):
    pass


def sync(act):
    async def page(request):
        act(request.session)

    return page


def start(session):
    session.update(DATA)
    session["n"] = 0


def read(session):
    session["field_1"]


def write(session):
    session["n"] = session["n"] + 1


PLAIN = dict.fromkeys(PAGES, nothing)
COOKIE = {
    **PLAIN,
    "start": sync(start),
    "read": sync(read),
    "write": sync(write),
    "login": sync(lambda s: s.update(user="alice")),
    "logout": sync(lambda s: s.clear()),
}
OURS = {
    **COOKIE,
    "login": sync(lambda s: s.login("alice")),
    "rotate": sync(lambda s: s.rotate()),
    "logout": sync(lambda s: s.logout()),
}


def starsessions(act):
    async def page(request):
        from starsessions import load_session

        await load_session(request)
        act(request)

    return page


def regenerate(request):
    from starsessions import regenerate_session_id

    regenerate_session_id(request)


STARSESSIONS = {
    **PLAIN,
    "start": starsessions(lambda r: start(r.session)),
    "read": starsessions(lambda r: read(r.session)),
    "write": starsessions(lambda r: write(r.session)),
    "login": starsessions(lambda r: (regenerate(r), r.session.update(user="alice"))),
    "rotate": starsessions(regenerate),
    "logout": starsessions(lambda r: r.session.clear()),
}


def lazy(act):
    async def page(request):
        from sessile.web.asgi import load_session

        act(await load_session(request))

    return page


LAZY = {
    **PLAIN,
    "start": lazy(start),
    "read": lazy(read),
    "write": lazy(write),
    "login": lazy(lambda s: s.login("alice")),
    "rotate": lazy(lambda s: s.rotate()),
    "logout": lazy(lambda s: s.logout()),
}
