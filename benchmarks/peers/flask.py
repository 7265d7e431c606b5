"""Applications on Flask."""

import flask
from flask import Flask

from benchmarks.peers import DATA, PAGES
from benchmarks.peers.sessile import make_sessions


def make(option, redis, folder):
    app = Flask(__name__)
    app.secret_key = "bench" * 8
    held = lambda: flask.session
    end, renew, enter = clear, nothing, lambda s: s.update(user="alice")
    if option == "flask-session":
        import redis as driver
        from flask_session import Session

        app.config.update(
            SESSION_TYPE="redis", SESSION_REDIS=driver.from_url(redis), SESSION_KEY_PREFIX="fs:"
        )
        Session(app)
        renew = app.session_interface.regenerate
        enter = lambda s: (s.update(user="alice"), renew(s))
    elif option == "beaker":
        held = lambda: flask.request.environ["beaker.session"]
        end, renew = lambda s: s.delete(), lambda s: s.regenerate_id()
    elif option.startswith("sessile"):
        from sessile.web.flask import Sessile

        Sessile(app, make_sessions(option, redis, folder))
        end, renew, enter = lambda s: s.logout(), lambda s: s.rotate(), lambda s: s.login("alice")
    acts = {
        "start": start,
        "read": read,
        "write": write,
        "login": enter,
        "logout": end,
        "rotate": renew,
    }
    for page in PAGES:
        act = None if option == "none" else acts.get(page)
        app.add_url_rule(f"/{page}", page, view(act, held))
    if option != "beaker":
        return app
    from beaker.middleware import SessionMiddleware

    options = {
        "session.type": "ext:redis",
        "session.url": redis,
        "session.auto": True,
        "session.timeout": 3600,
    }
    return SessionMiddleware(app, options)


def view(act, held):
    def page():
        if act is not None:
            act(held())
        return "ok"

    return page


def start(session):
    session.update(DATA)
    session["n"] = 0


def read(session):
    session["field_1"]


def write(session):
    session["n"] = session["n"] + 1


def clear(session):
    session.clear()


def nothing(session):
    pass
