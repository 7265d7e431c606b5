"""A Flask application with a cart, whose logins a package of Flask's makes."""

from typing import ClassVar

import flask
import jinja2

from packages.portal import WsgiPortal
from sessile.web.flask import Sessile


class CompiledTemplates(jinja2.BytecodeCache):
    """Templates that were compiled for one portal serve the next."""

    def __init__(self):
        self.found = {}

    def load_bytecode(self, bucket):
        if bucket.key in self.found:
            bucket.bytecode_from_string(self.found[bucket.key])

    def dump_bytecode(self, bucket):
        self.found[bucket.key] = bucket.bytecode_to_string()


COMPILED = CompiledTemplates()


class FlaskPortal(WsgiPortal):
    """``/`` says who is logged in; forms are sent to ``/login`` and ``/logout``."""

    settings: ClassVar = {}

    def make(self):
        app = flask.Flask("portal")
        app.config.update(SECRET_KEY="a secret of the application, for tests", **self.settings)
        self.give_sessions(app)
        app.jinja_options = {"bytecode_cache": COMPILED}

        @app.get("/cart")
        def cart():
            flask.session.setdefault("cart", []).append("hat")
            return flask.session["cart"]

        self.set_up(app)
        return app

    def give_sessions(self, app):
        """Do it, unless the page's example does."""
        Sessile(app, self.sessions)

    def set_up(self, app):
        """Give it the package's logins."""
        raise NotImplementedError

    def log_in(self, visitor, **form):
        assert visitor.post("/login", data=form).status_code < 400

    def log_out(self, visitor):
        assert visitor.post("/logout").status_code < 400

    def is_in(self, visitor):
        return visitor.get("/").text == "alice"
