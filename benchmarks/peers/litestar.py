"""Applications on Litestar."""

from litestar import Litestar, Request, get
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.redis import RedisStore

from benchmarks.peers import DATA


@get("/start")
async def start(request: Request) -> str:
    request.session.update(DATA)
    request.session["n"] = 0
    return "ok"


@get("/untouched")
async def untouched() -> str:
    return "ok"


@get("/read")
async def read(request: Request) -> str:
    request.session["field_1"]
    return "ok"


@get("/write")
async def write(request: Request) -> str:
    request.session["n"] += 1
    return "ok"


@get("/login")
async def login(request: Request) -> str:
    request.session["user"] = "alice"
    return "ok"


@get("/logout")
async def logout(request: Request) -> str:
    request.clear_session()
    return "ok"


def plain(path):
    @get(path)
    async def page() -> str:
        return "ok"

    return page


def make(option, redis, folder):
    if option == "none":
        pages = ("/start", "/untouched", "/read", "/write", "/login", "/logout", "/rotate")
        return Litestar(route_handlers=[plain(path) for path in pages], openapi_config=None)
    store = RedisStore.with_client(url=redis, namespace="ls")
    return Litestar(
        route_handlers=[start, untouched, read, write, login, logout, plain("/rotate")],
        middleware=[ServerSideSessionConfig().middleware],
        stores={"sessions": store},
        openapi_config=None,
    )
