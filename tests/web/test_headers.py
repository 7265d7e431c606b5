"""What leaves: headers that a session adds to an answer."""

import pytest

from sessile.web.headers import BYTES, TEXT, with_session_headers

SID = ("set-cookie", "sid=1")


def with_headers(headers, ticket, words, varies=("Cookie",)):
    """Add to an answer whose ticket travels in a cookie, unless another way is said."""
    encoded = varies if words is TEXT else [name.encode() for name in varies]
    return with_session_headers(headers, [] if ticket is None else [ticket], encoded, words)


def values(headers, name):
    return [value for key, value in headers if key.lower() == name]


def test_answer_says_that_it_varies_with_the_cookie():
    """An answer that depends on the session tells caches so."""
    assert with_headers([("x", "y")], None, TEXT) == [("x", "y"), ("vary", "Cookie")]


def test_vary_joins_what_the_application_says():
    """The application's own Vary stays, in one line with ours."""
    headers = [("Vary", "Accept-Encoding"), ("vary", "Origin")]

    assert with_headers(headers, None, TEXT) == [("vary", "Accept-Encoding, Origin, Cookie")]


@pytest.mark.parametrize("said", ["*", "Cookie", "accept, COOKIE", "Accept ,cookie , Origin"])
def test_vary_is_said_once(said):
    """A Vary that names the cookie, or everything, stays as it is."""
    assert with_headers([("Vary", said)], None, TEXT) == [("Vary", said)]


@pytest.mark.parametrize(
    ("said", "vary"),
    [
        ("", "Cookie, Authorization"),
        ("Accept", "Accept, Cookie, Authorization"),
        ("authorization", "authorization, Cookie"),
        ("cookie, Authorization", "cookie, Authorization"),
        ("*", "*"),
    ],
)
def test_answer_varies_with_every_carrier(said, vary):
    """Whatever may carry the ticket is named, if the application has not named it yet."""
    headers = [("vary", said)] if said else []

    assert with_headers(headers, None, TEXT, ("Cookie", "Authorization")) == [("vary", vary)]


def test_ticket_in_the_address_needs_no_vary():
    """A cache's key holds the address as it is; what the application said stays."""
    assert with_headers([("vary", "Accept")], None, TEXT, ()) == [("vary", "Accept")]
    assert with_headers([], None, TEXT, ()) == []


def test_a_longer_name_is_another_name():
    """A Vary on a header whose name only contains ours is not ours."""
    assert with_headers([("vary", "X-Cookie")], None, TEXT) == [("vary", "X-Cookie, Cookie")]


def test_cookie_is_never_stored_by_a_cache():
    """With a Set-Cookie goes no-store."""
    headers = with_headers([], SID, TEXT)

    assert values(headers, "set-cookie") == ["sid=1"]
    assert values(headers, "cache-control") == ["no-store"]


@pytest.mark.parametrize("said", ["private", "no-store", "max-age=5, PRIVATE", "a=b,no-store"])
def test_strict_application_is_left_alone(said):
    """What keeps shared caches away is the application's to choose."""
    headers = with_headers([("Cache-Control", said)], SID, TEXT)

    assert values(headers, "cache-control") == [said]


@pytest.mark.parametrize(
    "name", ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"]
)
@pytest.mark.parametrize("own", [[], [("Cache-Control", "private")]])
def test_nothing_is_said_to_one_kind_of_cache(name, own):
    """A header that counts more than ours with some caches goes when a cookie is set."""
    headers = [*own, (name, "public, max-age=600")]

    assert values(with_headers(headers, SID, TEXT), name.lower()) == []
    assert values(with_headers(headers, None, TEXT), name.lower()) == ["public, max-age=600"]


@pytest.mark.parametrize(
    "said", ["public, max-age=600", "no-cache", 'private="x-secret"', "max-age=1, no-storex", ""]
)
def test_lax_application_is_overruled(said):
    """Whatever would let a cache keep the cookie is replaced."""
    headers = with_headers([("Cache-Control", said)], SID, TEXT)

    assert values(headers, "cache-control") == ["no-store"]


def test_cache_rules_stay_without_a_cookie():
    """An answer that sets no cookie may be cached as the application says."""
    said = ("cache-control", "public, max-age=600")

    assert said in with_headers([said], None, TEXT)


def test_the_application_keeps_its_own_cookies():
    """Ours comes after the application's."""
    headers = with_headers([("set-cookie", "theme=dark")], SID, TEXT)

    assert values(headers, "set-cookie") == ["theme=dark", "sid=1"]


@pytest.mark.parametrize("ticket", [SID, None])
@pytest.mark.parametrize("said", [[("vary", "accept")], [("vary", "cookie")], []])
def test_given_headers_stay_as_they_are(said, ticket):
    """A list that the application sends again and again never gets a client's cookie."""
    given = list(said)

    with_headers(given, ticket, TEXT)

    assert given == said


def test_bytes_are_spelled_like_text():
    """ASGI and WSGI answers say the same."""
    given = [("Vary", "Accept"), ("Cache-Control", "public")]
    as_bytes = [(name.encode(), value.encode()) for name, value in given]

    said = with_headers(as_bytes, (b"set-cookie", b"sid=1"), BYTES)

    assert [(n.decode(), v.decode()) for n, v in said] == with_headers(given, SID, TEXT)
