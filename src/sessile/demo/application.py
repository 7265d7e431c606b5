"""The shop as an ASGI application: its paths, what stands before them, and its error pages."""

from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from sessile.demo.guard import Guard
from sessile.demo.policies import PolicyMiddleware
from sessile.demo.routes import (
    account,
    activity,
    cart,
    checkout,
    errors,
    experiments,
    front,
    late,
    live,
    nodes,
    servers,
    settings,
    store,
    theft,
    twenty,
)
from sessile.demo.security_headers import SecurityHeaders
from sessile.demo.shop import Shop
from sessile.demo.template import STATIC
from sessile.errors import StoreUnavailable

_POST: Final = ["POST"]
_LIST: Final = ["GET", "POST", "DELETE"]
_NO_SESSION: Final = ("/static/", "/health", "/store/", "/nodes")
_POLLS: Final = ("/now", "/live", "/copy")


def application(shop: Shop) -> Starlette:
    """Return the application of one server."""
    app = Starlette(
        routes=[
            Route("/", front.home),
            Route("/now", front.now),
            Route("/health", front.health),
            WebSocketRoute("/live", live.keep_open),
            Route("/login", account.log_in, methods=_POST),
            Route("/logout", account.log_out, methods=_POST),
            Route("/unlock", account.unlock, methods=_POST),
            Route("/devices/end-others", account.end_others, methods=_POST),
            Route("/devices/{session_id}/end", account.end_device, methods=_POST),
            Route("/cart/add", cart.add, methods=_POST),
            Route("/cart/remove", cart.remove, methods=_POST),
            Route("/cart/empty", cart.empty, methods=_POST),
            Route("/checkout", checkout.show),
            Route("/checkout", checkout.buy, methods=_POST),
            Route("/checkout/code", checkout.confirm, methods=_POST),
            Route("/activity", activity.show),
            Route("/theft", theft.show),
            Route("/theft", theft.steal, methods=_POST),
            Route("/policy", theft.choose, methods=_POST),
            Route("/turn", account.turn, methods=_POST),
            Route("/me", theft.show_identity),
            Route("/settings", settings.choose, methods=_POST),
            Route("/servers/{name}/kill", servers.kill, methods=_POST),
            Route("/servers/{name}/restart", servers.restart, methods=_POST),
            Route("/servers/{name}/drain", servers.drain, methods=_POST),
            Route("/servers/{name}/undrain", servers.undrain, methods=_POST),
            Route("/nodes", nodes.show),
            Route("/nodes/status", nodes.show_status),
            Route("/nodes/heal", nodes.heal, methods=_POST),
            Route("/nodes/{name}/kill", nodes.kill, methods=_POST),
            Route("/nodes/{name}/restart", nodes.restart, methods=_POST),
            Route("/nodes/{name}/part", nodes.part, methods=_POST),
            Route("/route", servers.route, methods=_POST),
            Route("/experiments", experiments.show),
            Route("/experiments/twenty", twenty.run, methods=_POST),
            Route("/twenty/sessile", twenty.serve_sessile, methods=_LIST),
            Route("/twenty/naive", twenty.serve_naive, methods=_LIST),
            Route("/experiments/late", late.run, methods=_POST),
            Route("/slow", late.put_slowly, methods=_POST),
            Route("/copy", store.copy, methods=_POST),
            Route("/store/stop", store.stop, methods=_POST),
            Route("/store/start", store.start, methods=_POST),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Guard, refuse=errors.show_foreign),
            Middleware(PolicyMiddleware, sessions=shop.policies, exclude=_NO_SESSION, polls=_POLLS),
        ],
        exception_handlers={
            HTTPException: errors.show_http_error,
            StoreUnavailable: errors.show_outage,
            500: errors.show_failure,
        },
    )
    app.state.shop = shop
    return app
