"""Flask's templates: their environment is the application's, and a token is in it."""

import flask
import jinja2
import pytest
from flask_wtf import CSRFProtect

from harness.browsers import WsgiBrowser
from harness.recording_store import fresh_sessions
from sessile.web.flask import Sessile, check_csrf

FORM = "{% if csrf_token %}asked for{% endif %}<{{ csrf_token()|length }}>"


def application():
    app = flask.Flask("flask shop")
    show(app, "/", FORM)
    return app


def show(app, path, template):
    app.add_url_rule(path, path, lambda: flask.render_template_string(template))


def shown(app, path="/"):
    return WsgiBrowser(app).get(path).body.decode()


def test_templates_are_configured_after_sessile():
    """``Sessile(app)`` does not make the environment: what is said of it later counts."""
    app = application()
    Sessile(app, fresh_sessions())
    app.jinja_options = {"variable_start_string": "<<", "variable_end_string": ">>"}
    show(app, "/other", "<<1>><{{2}}>")

    assert "jinja_env" not in vars(app)
    assert shown(app, "/other") == "1<{{2}}>"


@pytest.mark.parametrize("made_before", [True, False])
def test_templates_have_a_token(made_before):
    """Whether or not their environment was there already; in a macro without a context too."""
    app = application()
    if made_before:
        app.jinja_env.filters["twice"] = lambda text: text * 2
    Sessile(app, fresh_sessions())
    macro = "{% macro field() %}<{{ csrf_token()|length }}>{% endmacro %}"
    app.jinja_loader = jinja2.DictLoader({"forms": macro})
    show(app, "/macro", '{% from "forms" import field %}{{ field() }}')

    assert shown(app).strip("<>").isdigit()
    assert shown(app) == shown(app, "/macro")


def test_extension_is_given_the_token_where_it_is_asked_for():
    """Templates that ask whether there is one are told so where every request is checked."""
    app, checked, admin = application(), application(), application()
    for one in (app, checked, admin):
        Sessile(one, fresh_sessions())
    checked.before_request(check_csrf)
    admin.before_request_funcs = {"admin": [check_csrf]}

    assert [shown(one).startswith("asked for") for one in (app, checked, admin)] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["sessile", "flask_wtf"])
def test_token_of_flask_wtf_stays(first):
    """Where it protects the application, templates have its token, whoever came first."""
    app = application()
    app.secret_key = "a secret of the application, for tests"
    for name in sorted(["sessile", "flask_wtf"], key=lambda name: name != first):
        Sessile(app, fresh_sessions()) if name == "sessile" else CSRFProtect(app)

    assert app.jinja_env.globals["csrf_token"].__module__ == "flask_wtf.csrf"
    assert shown(app).startswith("asked for")
