"""What the Flask tests stand on: an application that counts, and a browser that has counted."""

import flask

from harness.applications import counting_cookie
from harness.browsers import WsgiBrowser
from sessile.web.flask import Sessile


def count():
    """Change the session."""
    return str(flask.session.increment("n"))


def show():
    """Look at the session."""
    return str(flask.session.get("n"))


def route(app, path):
    """Serve a path with a view, which may return nothing."""

    def decorate(view):
        app.add_url_rule(path, path, lambda: view() or "done")
        return view

    return decorate


def shop(sessions):
    """An application that counts at ``/`` and shows the count at ``/show``."""
    app = flask.Flask("flask shop")
    app.logger.disabled = True
    Sessile(app, sessions)
    route(app, "/")(count)
    route(app, "/show")(show)
    return app


def customer(app, sessions):
    """A browser whose session holds n = 1."""
    return WsgiBrowser(app, counting_cookie(sessions))


def stream(app, *steps):
    """Stream at ``/stream`` what each step says."""

    @app.get("/stream")
    def view():
        return flask.stream_with_context(step() for step in steps)
