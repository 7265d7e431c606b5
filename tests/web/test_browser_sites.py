"""Two sites and a real browser: what comes from the other one, and without which cookie.

The site is 127.0.0.1; the other one calls itself localhost, which for a browser is another site.
"""

from contextlib import contextmanager
from html import escape
from urllib.parse import parse_qsl

import pytest

from harness.chromium import chromium  # noqa: F401  (fixtures are found by their names)
from harness.servers import serve_wsgi
from sessile import Cookie, Sessions
from sessile.core.cookie import SameSite
from sessile.core.origin import Origins
from sessile.web.wsgi import KEY, SessionMiddleware

REPOST = """<!doctype html><form method="post" action="/saml/finish">{fields}
<button>Go on</button></form><script>document.forms[0].submit()</script>"""


def form(environ):
    size = int(environ.get("CONTENT_LENGTH") or 0)
    return dict(parse_qsl(environ["wsgi.input"].read(size).decode()))


def shop(environ, start_response):
    """A shop; at ``/saml/acs`` it sends what was posted there on to itself."""
    path, session = environ["PATH_INFO"], environ[KEY]
    said = "ok"
    if path == "/login":
        session.login("alice")
    elif path == "/landing":
        session["seen"] = True
    elif path == "/start":
        session.update(cart=["hat"], state="s1")
    elif path == "/who":
        said = f"{session.user} {session.get('cart')}"
    elif path == "/saml/acs":
        inputs = "<input type=hidden name={} value={}>"
        fields = (inputs.format(escape(k), escape(v)) for k, v in form(environ).items())
        said = REPOST.format(fields="".join(fields))
    elif path == "/saml/finish":
        given = form(environ)
        if given["state"] == session.get("state"):
            session.login(given["user"])
    elif path == "/saml/direct":
        form(environ)
        session["posted"] = True
    start_response("200 OK", [("content-type", "text/html")])
    return [said.encode()]


@contextmanager
def sites(page, **options):
    """Serve the shop, and beside it a site with that page; give both addresses."""
    sessions = Sessions("memory://", **options)
    with serve_wsgi(SessionMiddleware(shop, sessions, exclude=("/saml/acs",))) as own:

        def other(environ, start_response):
            headers = [("content-type", "text/html"), ("referrer-policy", "no-referrer")]
            start_response("200 OK", headers)
            return [page.format(own=own).encode()]

        with serve_wsgi(other) as address:
            yield own, address.replace("127.0.0.1", "localhost")


@pytest.fixture
def page(chromium):  # noqa: F811  (as above)
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_link_from_another_site_replaces_no_login(page):
    """Under ``SameSite=Strict`` its first page is a stranger's, and stores nothing."""
    cookie = Cookie(secure=False, same_site=SameSite.STRICT)
    with sites('<a href="{own}/landing">look</a>', cookie=cookie) as (own, other):
        page.goto(f"{own}/login")
        page.goto(other)
        page.click("a")
        page.wait_for_url(f"{own}/landing")
        page.goto(f"{own}/who")

        assert page.inner_text("body").startswith("alice")


PROVIDER = """<form method="post" action="{own}/saml/acs">
<input type="hidden" name="state" value="s1"><input type="hidden" name="user" value="alice">
<button>in</button></form>"""


def test_provider_that_posts_back_finds_the_cart(page):
    """The page that its post comes to posts once more, from the site itself: with the cookie."""
    with sites(PROVIDER, cookie=Cookie(secure=False)) as (own, other):
        page.goto(f"{own}/start")
        page.goto(other)
        page.click("button")
        page.wait_for_url(f"{own}/saml/finish")
        page.goto(f"{own}/who")

        assert page.inner_text("body") == "alice ['hat']"


def test_exempt_path_takes_the_post_and_replaces_no_login(page):
    """Its Origin is ``null``; what it stores has no session to be in, and the login stays."""
    cookie, origins = Cookie(secure=False), Origins(exempt=["/saml/direct"])
    direct = PROVIDER.replace("/saml/acs", "/saml/direct")
    with sites(direct, cookie=cookie, origins=origins) as (own, other):
        page.goto(f"{own}/login")
        page.goto(other)
        page.click("button")
        page.wait_for_url(f"{own}/saml/direct")
        assert page.inner_text("body") == "ok"
        page.goto(f"{own}/who")

        assert page.inner_text("body").startswith("alice")
