"""What leaves: headers that a session adds to an answer, and the answers to failures."""

import pytest

from sessile.errors import (
    ConfigError,
    LimitReached,
    LoginNeeded,
    LostRace,
    StepUpNeeded,
    StoreUnavailable,
    TokenNeeded,
)
from sessile.web import exchange
from sessile.web.exchange import BYTES, REFUSED, TEXT, prefixes, refusal

SID = ("set-cookie", "sid=1")


def marked(headers, ticket, words, varies=("Cookie",)):
    """Mark an answer whose ticket travels in a cookie, unless another way is said."""
    spelled = varies if words is TEXT else [name.encode() for name in varies]
    return exchange.marked(headers, ticket, spelled, words)


def values(headers, name):
    return [value for key, value in headers if key.lower() == name]


def test_answer_says_that_it_varies_with_the_cookie():
    """An answer that depends on the session tells caches so."""
    assert marked([("x", "y")], None, TEXT) == [("x", "y"), ("vary", "Cookie")]


def test_vary_joins_what_the_application_says():
    """The application's own Vary stays, in one line with ours."""
    headers = [("Vary", "Accept-Encoding"), ("vary", "Origin")]

    assert marked(headers, None, TEXT) == [("vary", "Accept-Encoding, Origin, Cookie")]


@pytest.mark.parametrize("said", ["*", "Cookie", "accept, COOKIE", "Accept ,cookie , Origin"])
def test_vary_is_said_once(said):
    """A Vary that names the cookie, or everything, stays as it is."""
    assert marked([("Vary", said)], None, TEXT) == [("Vary", said)]


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

    assert marked(headers, None, TEXT, ("Cookie", "Authorization")) == [("vary", vary)]


def test_ticket_in_the_address_needs_no_vary():
    """A cache's key holds the address as it is; what the application said stays."""
    assert marked([("vary", "Accept")], None, TEXT, ()) == [("vary", "Accept")]
    assert marked([], None, TEXT, ()) == []


def test_a_longer_name_is_another_name():
    """A Vary on a header whose name only contains ours is not ours."""
    assert marked([("vary", "X-Cookie")], None, TEXT) == [("vary", "X-Cookie, Cookie")]


def test_cookie_is_never_stored_by_a_cache():
    """With a Set-Cookie goes no-store."""
    headers = marked([], SID, TEXT)

    assert values(headers, "set-cookie") == ["sid=1"]
    assert values(headers, "cache-control") == ["no-store"]


@pytest.mark.parametrize("said", ["private", "no-store", "max-age=5, PRIVATE", "a=b,no-store"])
def test_strict_application_is_left_alone(said):
    """What keeps shared caches away is the application's to choose."""
    headers = marked([("Cache-Control", said)], SID, TEXT)

    assert values(headers, "cache-control") == [said]


@pytest.mark.parametrize(
    "name", ["CDN-Cache-Control", "Cloudflare-CDN-Cache-Control", "Surrogate-Control"]
)
@pytest.mark.parametrize("own", [[], [("Cache-Control", "private")]])
def test_nothing_is_said_to_one_kind_of_cache(name, own):
    """A header that counts more than ours with some caches goes when a cookie is set."""
    headers = [*own, (name, "public, max-age=600")]

    assert values(marked(headers, SID, TEXT), name.lower()) == []
    assert values(marked(headers, None, TEXT), name.lower()) == ["public, max-age=600"]


@pytest.mark.parametrize(
    "said", ["public, max-age=600", "no-cache", 'private="x-secret"', "max-age=1, no-storex", ""]
)
def test_lax_application_is_overruled(said):
    """Whatever would let a cache keep the cookie is replaced."""
    headers = marked([("Cache-Control", said)], SID, TEXT)

    assert values(headers, "cache-control") == ["no-store"]


def test_cache_rules_stay_without_a_cookie():
    """An answer that sets no cookie may be cached as the application says."""
    said = ("cache-control", "public, max-age=600")

    assert said in marked([said], None, TEXT)


def test_the_application_keeps_its_own_cookies():
    """Ours comes after the application's."""
    headers = marked([("set-cookie", "theme=dark")], SID, TEXT)

    assert values(headers, "set-cookie") == ["theme=dark", "sid=1"]


@pytest.mark.parametrize("vary", ["accept", "cookie"])
def test_given_headers_stay_as_they_are(vary):
    """A list that the application sends again and again never gets a client's cookie."""
    given = [("vary", vary)]

    marked(given, SID, TEXT)

    assert given == [("vary", vary)]


def test_bytes_are_spelled_like_text():
    """ASGI and WSGI answers say the same."""
    given = [("Vary", "Accept"), ("Cache-Control", "public")]
    as_bytes = [(name.encode(), value.encode()) for name, value in given]

    said = marked(as_bytes, (b"set-cookie", b"sid=1"), BYTES)

    assert [(n.decode(), v.decode()) for n, v in said] == marked(given, SID, TEXT)


@pytest.mark.parametrize(
    "error", [StoreUnavailable("redis://cache", "connection refused"), LostRace("k", attempts=128)]
)
def test_failed_store_is_told_as_503(error):
    """An outage is named as one, to be tried again; it says nothing of the inside."""
    answer = refusal(error)

    assert (answer.status, answer.reason) == (503, "Service Unavailable")
    assert ("retry-after", "1") in answer.headers
    assert ("cache-control", "no-store") in answer.headers
    assert ("content-length", str(len(answer.body))) in answer.headers
    assert not values(answer.headers, "set-cookie")
    assert answer.body == b"Sessions are unavailable for a moment; try again.\n"


def test_refused_login_is_told_as_403():
    """The limit of sessions is the user's affair: no outage, nothing to try again."""
    answer = refusal(LimitReached(3))

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert not values(answer.headers, "retry-after")


def test_missing_login_is_told_as_401_with_a_challenge():
    """A 401 names a scheme, and one that opens no dialog in a browser."""
    answer = refusal(LoginNeeded())

    assert (answer.status, answer.reason) == (401, "Unauthorized")
    assert values(answer.headers, "www-authenticate") == ["Session"]


@pytest.mark.parametrize("error", [StepUpNeeded(assurance=2), TokenNeeded()])
def test_what_a_login_does_not_help_is_told_as_403(error):
    """Somebody is logged in: another challenge would be a lie."""
    answer = refusal(error)

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert not values(answer.headers, "www-authenticate")


def test_every_refused_error_has_words_of_its_own():
    """Whatever the middlewares catch is answered in words that fit it."""
    made = {
        StoreUnavailable: ("redis://cache", "refused"),
        LimitReached: (3,),
    }
    told = {
        kind: refusal(LostRace("k", attempts=1) if kind is LostRace else kind(*made.get(kind, ())))
        for kind in REFUSED
    }

    assert len({answer.body for answer in told.values()}) == len(REFUSED) - 1  # two are a 503


def test_excluded_prefixes_are_taken_as_given():
    """Any number of prefixes, none of them changed."""
    assert prefixes("exclude", ["/static/", "/health"]) == ("/static/", "/health")


@pytest.mark.parametrize("wrong", ["/static/", ("static/",), ("",), (7,), ("/a", "b")])
def test_wrong_prefixes_are_refused_at_start(wrong):
    """A prefix that could never match, or a bare text, is an error that says what to write."""
    with pytest.raises(ConfigError, match=r"passive.*/static/"):
        prefixes("passive", wrong)
