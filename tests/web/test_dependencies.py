"""FastAPI's dependencies, as people write them: what lets anybody in by mistake is refused."""

from functools import partial
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions
from sessile.errors import ConfigError
from sessile.web import fastapi as on_fastapi
from sessile.web import starlette as on_starlette
from sessile.web.asgi import SessionMiddleware

PARENTHESES = r"write Depends\(require\(\)\), from sessile\.web\.fastapi"


def inside(dependency):
    """Make an application whose one page takes that dependency."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())

    @app.get("/")
    async def room(found: Annotated[object, Depends(dependency)]):
        return "welcome"

    return app


@pytest.mark.parametrize(
    "bare", [on_fastapi.require, partial(on_fastapi.require, assurance=2)], ids=["bare", "partial"]
)
def test_require_without_parentheses_makes_no_route(bare):
    """``Depends(require)`` would ask nobody: it is refused where the route is made."""
    with pytest.raises(ConfigError, match=PARENTHESES):
        inside(bare)


def test_require_without_parentheses_makes_no_router():
    """A whole router that anybody may enter is refused with its first route."""
    router = APIRouter(dependencies=[Depends(on_fastapi.require)])
    with pytest.raises(ConfigError, match=PARENTHESES):
        router.add_api_route("/", lambda: "welcome")


def test_require_that_was_filled_asks_nobody():
    """Where a FastAPI to come fills the parameter in some other way, it is refused all the same."""
    with pytest.raises(ConfigError, match=PARENTHESES):
        on_fastapi.require(_called=None)


def test_starlettes_require_is_no_dependency():
    """The decorator is refused in words with the first request."""
    with pytest.raises(ConfigError, match=f"asks nobody.*{PARENTHESES}"):
        AsgiBrowser(inside(on_starlette.require)).get()


@pytest.mark.parametrize("query", ["", "handler=mine", "args=1&kwargs=1"])
@pytest.mark.parametrize(
    "taken",
    [on_starlette.require(), on_fastapi.SessionDep, on_fastapi.CsrfDep],
    ids=["decorator", "SessionDep", "CsrfDep"],
)
def test_what_is_no_dependency_lets_nobody_in(taken, query):
    """FastAPI asks the client for its arguments, and no client has them."""
    with TestClient(inside(taken), raise_server_exceptions=False) as client:
        assert client.get(f"/?{query}").status_code in {422, 500}
