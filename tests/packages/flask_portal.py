"""A Flask application with a cart, whose logins a package of Flask's makes."""

from typing import ClassVar

import flask

from packages.portal import WsgiPortal
from sessile.web.flask import Sessile


class FlaskPortal(WsgiPortal):
    """``/`` says who is logged in; forms are sent to ``/login`` and ``/logout``."""

    settings: ClassVar = {}

    def make(self):
        app = flask.Flask("portal")
        app.config.update(SECRET_KEY="a secret of the application, for tests", **self.settings)
        Sessile(app, self.sessions)

        @app.get("/cart")
        def cart():
            flask.session.setdefault("cart", []).append("hat")
            return flask.session["cart"]

        self.set_up(app)
        return app

    def set_up(self, app):
        """Give it the package's logins."""
        raise NotImplementedError

    def log_in(self, visitor, **form):
        assert visitor.post("/login", data=form).status_code < 400

    def log_out(self, visitor):
        assert visitor.post("/logout").status_code < 400

    def is_in(self, visitor):
        return visitor.get("/").text == "alice"
