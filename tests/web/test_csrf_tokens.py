"""CSRF tokens as pages hold them: Starlette, FastAPI and Flask say the same."""

import asyncio
from typing import Annotated

import flask
import httpx
import jinja2
import pytest
from fastapi import Depends, FastAPI, Form, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from harness.applications import asgi_app
from harness.browsers import AsgiBrowser
from harness.recording_store import fresh_sessions, take_commands
from harness.servers import serve_asgi, serve_wsgi
from sessile import Policy
from sessile.core.policy import minutes
from sessile.errors import ConfigError, TokenNeeded
from sessile.web import fastapi as on_fastapi
from sessile.web import flask as on_flask
from sessile.web import starlette as on_starlette
from sessile.web.asgi import SessionMiddleware
from sessile.web.flask import Sessile

PAGE = "<input name=csrf_token value={{ csrf_token() }}>"


def starlette(sessions, **options):
    """A form at ``/``, and a login that takes none."""
    loader = jinja2.DictLoader({"page": PAGE})
    env = jinja2.Environment(loader=loader, autoescape=True)
    templates = Jinja2Templates(env=env, context_processors=[on_starlette.csrf_context])

    async def form(request):
        return templates.TemplateResponse(request, "page")

    async def send(request):
        await on_starlette.check_csrf(request)
        async with request.form():
            request.session.increment("sent")
        return PlainTextResponse("sent")

    async def login(request):
        request.session.login("alice")
        return PlainTextResponse(on_starlette.csrf_token(request))

    async def rotate(request):
        request.session.rotate()
        return PlainTextResponse("rotated")

    routes = [
        Route("/", form),
        Route("/", send, methods=["POST", "DELETE"]),
        Route("/login", login, methods=["POST"]),
        Route("/rotate", rotate, methods=["POST"]),
    ]
    middleware = [Middleware(SessionMiddleware, sessions=sessions, **options)]
    return serve_asgi(Starlette(routes=routes, middleware=middleware))


def fastapi(sessions):
    """The same, with dependencies."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=sessions)
    render = jinja2.Template(PAGE, autoescape=True).render

    @app.get("/", dependencies=[Depends(on_fastapi.check_csrf)])
    async def form(request: Request):
        return PlainTextResponse(render(on_fastapi.csrf_context(request)))

    @app.post("/")
    @app.delete("/")
    async def send(
        request: Request, csrf: on_fastapi.CsrfDep, more: Annotated[str, Form()] = "nothing"
    ):
        request.session.increment("sent")
        return PlainTextResponse("sent")

    @app.post("/login")
    async def login(request: Request):
        request.session.login("alice")
        return PlainTextResponse(on_fastapi.csrf_token(request))

    @app.post("/rotate")
    async def rotate(request: Request):
        request.session.rotate()
        return PlainTextResponse("rotated")

    return serve_asgi(app)


def shop(sessions):
    """The same in Flask."""
    app = flask.Flask("flask shop")
    app.logger.disabled = True
    Sessile(app, sessions)

    @app.get("/")
    def form():
        return flask.render_template_string(PAGE)

    @app.route("/", methods=["POST", "DELETE"])
    def send():
        on_flask.check_csrf()
        flask.session.increment("sent")
        return "sent"

    @app.post("/login")
    def login():
        flask.session.login("alice")
        return on_flask.csrf_token()

    @app.post("/rotate")
    def rotate():
        flask.session.rotate()
        return "rotated"

    return serve_wsgi(app)


@pytest.fixture
def sessions():
    return fresh_sessions(policy=Policy(rotate=minutes(1000)))


@pytest.fixture(params=[starlette, fastapi, shop])
def browser(request, sessions):
    """A browser before a form; it keeps cookies."""
    with request.param(sessions) as address, httpx.Client(base_url=address) as client:
        yield client


def token(browser):
    """Return what the form at ``/`` holds."""
    return browser.get("/").text.partition("value=")[2].rstrip(">").strip('"')


def sent(browser, value, **more):
    return browser.post("/", data={"csrf_token": value, **more}).status_code


def test_form_comes_back_with_its_token(browser):
    """A visitor without a session gets one with the form, and may send the form."""
    value = token(browser)

    assert browser.cookies.get("sid") is not None
    assert sent(browser, value) == 200
    assert sent(browser, value, more="of it") == 200


def test_form_in_parts_comes_back_too(browser):
    """A form with files brings its token as a part."""
    files = {"csrf_token": (None, token(browser)), "file": ("a.txt", b"a")}

    assert browser.post("/", files=files).status_code == 200


def test_script_sends_a_header(browser):
    """What sends no form puts the token into a header."""
    value = token(browser)

    assert browser.delete("/", headers={"X-CSRF-Token": value}).status_code == 200
    assert browser.delete("/").status_code == 403


def test_each_page_has_another_text(browser):
    """No two pages show the same token, and all of them are good."""
    values = {token(browser) for _ in range(3)}

    assert len(values) == 3
    assert {sent(browser, value) for value in values} == {200}


def test_request_without_its_token_is_refused(browser):
    """None, junk, a file, a query parameter: a 403, and nothing was done."""
    value = token(browser)
    missing = [
        browser.post("/"),
        browser.post("/", files={"csrf_token": ("a.txt", value.encode())}),
        browser.post("/", params={"csrf_token": value}),
        browser.post("/", json={"csrf_token": value}),
    ]
    wrong = [
        browser.post("/", data={"csrf_token": "junk"}),
        browser.post("/", data={"csrf_token": value[:-1]}),
    ]

    assert {reply.status_code for reply in missing + wrong} == {403}
    told = "This form is out of date; load its page again.\n\nFor its developers: {}.\n"
    neither = "no CSRF token came, neither in a form field csrf_token nor in a header X-CSRF-Token"
    another = "a CSRF token came that is not one of this session's"
    assert {reply.text for reply in missing} == {told.format(neither)}
    assert {reply.text for reply in wrong} == {told.format(another)}


def test_token_of_another_session_is_refused(browser):
    """An attacker's own token is worth nothing in a visitor's browser; nor without a session."""
    theirs = token(browser)
    browser.cookies.clear()
    nobody = sent(browser, theirs)
    mine = token(browser)

    assert nobody == 403
    assert sent(browser, theirs) == 403
    assert sent(browser, mine) == 200


def test_login_makes_old_tokens_worthless(browser):
    """A token read before the login is no good after it; one made by the login's answer is."""
    before = token(browser)
    after = browser.post("/login").text

    assert sent(browser, before) == 403
    assert sent(browser, after) == 200


def test_page_outlives_every_rotation(browser):
    """A form that was open while the ticket turned, and turned again, can be sent."""
    value = token(browser)
    browser.post("/rotate")
    browser.post("/rotate")

    assert sent(browser, value) == 200


def test_login_after_a_logout_whose_answer_was_lost(browser, sessions):
    """The browser still has the dead cookie: the page that it is shown then can be sent at once."""
    browser.post("/login")
    lost = asgi_app(lambda session: session.logout())
    AsgiBrowser(SessionMiddleware(lost, sessions), f"sid={browser.cookies['sid']}").get()
    value = token(browser)

    assert sent(browser, value) == 200


def test_token_costs_a_visitor_one_session_and_then_nothing(browser, sessions):
    """The first form stores the session it belongs to; the next one only reads it."""
    take_commands(sessions)
    token(browser)
    first = take_commands(sessions)
    token(browser)

    assert (first, take_commands(sessions)) == (["create"], ["read"])


def test_application_may_answer_by_itself():
    """``TokenNeeded`` is an error like any other: the framework's handlers come first."""
    app = FastAPI()
    app.add_middleware(SessionMiddleware, sessions=fresh_sessions())

    @app.exception_handler(TokenNeeded)
    async def again(request, error):
        return PlainTextResponse("again", 418)

    @app.post("/", dependencies=[Depends(on_fastapi.check_csrf)])
    async def send():
        return "sent"

    with serve_asgi(app) as address:
        assert httpx.post(f"{address}/").status_code == 418


def test_flask_checks_every_view_at_once(sessions):
    """``before_request`` takes the check as it is; a GET passes."""
    app = flask.Flask("flask shop")
    Sessile(app, sessions)
    app.before_request(on_flask.check_csrf)
    app.add_url_rule("/", "view", lambda: "done", methods=["GET", "POST"])
    client = app.test_client()

    assert (client.get("/").status_code, client.post("/").status_code) == (200, 403)


def test_foreign_flask_session_is_told_so():
    """Without the extension the error says what to write."""
    app = flask.Flask("flask shop")
    app.secret_key = "long enough for flask's own"
    with app.test_request_context(), pytest.raises(ConfigError, match="Sessile"):
        on_flask.csrf_token()


def test_plain_wsgi_has_the_two_functions(sessions):
    """Where there is no framework, ``sessions`` and the session are enough."""
    from harness.applications import wsgi_app
    from harness.browsers import WsgiBrowser
    from sessile.web.wsgi import SessionMiddleware as Plain

    pages = []

    def handle(session):
        if pages:
            sessions.check_csrf(session, pages[-1])
        pages.append(sessions.csrf_token(session))

    browser = WsgiBrowser(Plain(wsgi_app(handle), sessions))
    statuses = [browser.get().status, browser.get().status]
    browser.cookie = ""

    assert statuses == [200, 200]
    assert browser.get().status == 403


def test_lazy_session_is_loaded_for_the_check(sessions):
    """With ``load="lazy"`` the check loads the session by itself."""
    from harness.browsers import AsgiBrowser

    token_then = []

    async def app(scope, receive, send):
        request = on_starlette.Request(scope, receive)
        await on_starlette.load_session(request)
        token_then.append(on_starlette.csrf_token(request))
        await PlainTextResponse("page")(scope, receive, send)

    async def checked(scope, receive, send):
        await on_starlette.check_csrf(on_starlette.Request(scope, receive))
        await PlainTextResponse("sent")(scope, receive, send)

    browser = AsgiBrowser(SessionMiddleware(app, sessions, load="lazy"))
    browser.get()
    again = AsgiBrowser(SessionMiddleware(checked, sessions, load="lazy"), browser.cookie)
    headers = {"x-csrf-token": token_then[0]}

    assert asyncio.run(again.ask(method="POST", headers=headers)).status == 200
    assert asyncio.run(again.ask(method="POST")).status == 403
