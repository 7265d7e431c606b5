"""A Starlette application with a cart, whose logins a package of ASGI's makes."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from packages.portal import AsgiPortal
from sessile.web.starlette import SessionMiddleware


class StarlettePortal(AsgiPortal):
    """Our middleware is around the whole application."""

    def make(self):
        async def cart(request):
            request.session.setdefault("cart", []).append("hat")
            return JSONResponse(request.session["cart"])

        app = Starlette(routes=[Route("/cart", cart)])
        self.give_sessions(app)
        self.set_up(app)
        return app

    def give_sessions(self, app):
        """Do it, unless the page's example does."""
        app.add_middleware(SessionMiddleware, sessions=self.sessions)

    def set_up(self, app):
        """Give it the package's logins."""
        raise NotImplementedError
