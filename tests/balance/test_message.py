"""Messages are rewritten by rule: what is for the next hop stops here."""

import h11
import pytest

from sessile.balance.cookie import RouteCookie
from sessile.balance.headers import end_to_end, strip_forwarded
from sessile.balance.message import ResponseRewriter, asks_for_websocket, is_replayable, to_server


def request(*headers, method="GET", target="/", version="1.1"):
    host = [] if any(name.lower() == "host" for name, _ in headers) else [("Host", "shop.test")]
    return h11.Request(
        method=method, target=target, headers=[*host, *headers], http_version=version
    )


def sent(*headers, **line):
    """Return the headers that reach the server."""
    message = to_server(
        request(*headers, **line), address="192.0.2.7", cookie=RouteCookie(), own="127.0.0.1:80"
    )
    return [(name.decode(), value.decode()) for name, value in message.headers]


def got(*headers, version=b"1.1", status=200, last=False, set_cookie=None):
    """Return the headers that reach the client."""
    answer = h11.Response(status_code=status, headers=list(headers))
    (seen,) = ResponseRewriter(version, set_cookie).to_client([answer], last=last)
    return [(name.decode(), value.decode()) for name, value in seen.headers]


def test_hop_by_hop_headers_stop():
    """RFC 9110, 7.6.1: neither the known ones nor those that Connection names go on."""
    headers = [
        (b"Connection", b"close, X-Private"),
        (b"Keep-Alive", b"timeout=5"),
        (b"TE", b"trailers"),
        (b"Trailer", b"X-T"),
        (b"Upgrade", b"h2c"),
        (b"Proxy-Connection", b"close"),
        (b"Proxy-Authorization", b"Basic eA=="),
        (b"x-private", b"1"),
        (b"X-Public", b"2"),
    ]

    assert end_to_end(headers) == [(b"X-Public", b"2")]


def test_connection_cannot_strip_what_the_server_needs():
    """A client cannot make the balancer drop Host, the cookies or the length of a body."""
    headers = sent(
        ("Connection", "host, cookie, content-length"), ("Cookie", "sid=1"), ("Content-Length", "3")
    )

    assert {("host", "shop.test"), ("cookie", "sid=1"), ("content-length", "3")} <= set(headers)


def test_the_first_hop_says_who_asked():
    """What the client claims to have been forwarded is replaced by what is so."""
    headers = sent(
        ("X-Forwarded-For", "1.2.3.4"),
        ("x-forwarded-proto", "https"),
        ("X_Forwarded_Host", "evil.test"),
        ("X-Forwarded-Prefix", "/admin"),
        ("X-Real-IP", "1.2.3.4"),
        ("Forwarded", "for=1.2.3.4"),
    )

    assert [pair for pair in headers if "forward" in pair[0] or "real" in pair[0]] == [
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "shop.test"),
    ]


def test_connection_cannot_strip_what_the_first_hop_says():
    """Naming X-Forwarded-For in Connection does not hide the client."""
    assert ("x-forwarded-for", "192.0.2.7") in sent(("Connection", "x-forwarded-for"))


def test_proxy_header_stops():
    """A Proxy header would become HTTP_PROXY in a CGI environment."""
    assert strip_forwarded([(b"Proxy", b"http://evil.test")]) == []


def test_the_route_is_hidden_and_the_session_is_not():
    """The server sees the session's cookie and never the route."""
    assert ("cookie", "sid=1") in sent(("Cookie", "sessile-route=T; sid=1"))
    assert not any(name == "cookie" for name, _ in sent(("Cookie", "sessile-route=T")))


def test_an_absolute_target_names_the_host():
    """RFC 9112, 3.2.2: the host in the target wins over the header."""
    message = to_server(
        request(target="http://real.test:81?q=1"),
        address="x",
        cookie=RouteCookie(),
        own="127.0.0.1:80",
    )

    assert message.target == b"/?q=1"
    assert dict(message.headers)[b"host"] == b"real.test:81"
    assert dict(message.headers)[b"x-forwarded-host"] == b"real.test:81"


def test_an_old_client_is_given_a_host():
    """An HTTP/1.0 client may name no host, and an HTTP/1.1 server must be told one."""
    old = h11.Request(method="GET", target="/", headers=[], http_version="1.0")

    message = to_server(old, address="x", cookie=RouteCookie(), own="127.0.0.1:80")

    assert dict(message.headers)[b"host"] == b"127.0.0.1:80"
    assert b"x-forwarded-host" not in dict(message.headers)


def test_expectation_is_passed_on_from_those_who_may_have_one():
    """RFC 9110, 10.1.1: Expect goes to the server, unless an HTTP/1.0 client sent it."""
    assert ("expect", "100-continue") in sent(("Expect", "100-Continue"))
    assert not any(n == "expect" for n, _ in sent(("Expect", "100-continue"), version="1.0"))


WEBSOCKET = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")]


def test_a_websocket_keeps_its_upgrade():
    """The upgrade to WebSocket is said anew to the server."""
    headers = sent(*WEBSOCKET)

    assert ("connection", "Upgrade") in headers
    assert ("upgrade", "websocket") in headers


@pytest.mark.parametrize(
    "other",
    [
        request(("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")),
        request(("Connection", "Upgrade"), ("Upgrade", "websocket, h2c")),
        request(("Upgrade", "websocket")),
        request(*WEBSOCKET, method="POST"),
        request(*WEBSOCKET, ("Content-Length", "3")),
        request(*WEBSOCKET, version="1.0"),
    ],
)
def test_no_other_upgrade_is_passed_on(other):
    """A tunnel is opened for a WebSocket and for nothing else."""
    message = to_server(other, address="x", cookie=RouteCookie(), own="127.0.0.1:80")

    assert not asks_for_websocket(other)
    assert not {b"upgrade", b"connection"} & {name for name, _ in message.headers}


@pytest.mark.parametrize(
    ("asked", "may"),
    [
        (request(), True),
        (request(method="DELETE"), True),
        (request(("Content-Length", "0"), method="PUT"), True),
        (request(method="POST"), False),
        (request(method="PATCH"), False),
        (request(("Content-Length", "1"), method="PUT"), False),
        (request(("Transfer-Encoding", "chunked"), method="PUT"), False),
    ],
)
def test_only_what_is_safe_is_sent_twice(asked, may):
    """A request may be repeated if it is idempotent and nothing of it was spent."""
    assert is_replayable(asked) is may


def test_answers_lose_what_is_for_the_next_hop():
    """Hop-by-hop headers of an answer stop here; each Set-Cookie goes on by itself."""
    answer = got(
        ("Connection", "x-private"),
        ("Keep-Alive", "timeout=5"),
        ("X-Private", "1"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
    )

    assert answer == [("set-cookie", "a=1"), ("set-cookie", "b=2")]


def test_nothing_is_added_to_an_answer():
    """An answer does not tell which server gave it."""
    assert got(("Content-Length", "3")) == [("content-length", "3")]


def test_a_route_is_added_to_the_servers_cookies():
    """The route cookie is one more cookie, not in place of another."""
    answer = got(("Set-Cookie", "sid=1"), set_cookie=b"sessile-route=T")

    assert answer == [("set-cookie", "sid=1"), ("set-cookie", "sessile-route=T")]


def test_no_content_has_no_length():
    """RFC 9110, 8.6: 204 has no Content-Length; 304 may have one."""
    assert got(("Content-Length", "0"), status=204) == []
    assert got(("Content-Length", "9"), status=304) == [("content-length", "9")]


def test_the_last_answer_says_so():
    """An answer after which the connection closes says close."""
    assert got(last=True) == [("connection", "close")]


def test_interim_answers_spare_old_clients():
    """RFC 9110, 15.2: 1xx goes to HTTP/1.1 clients and not to older ones."""
    hints = h11.InformationalResponse(status_code=103, headers=[("Link", "</s.css>")])

    (seen,) = ResponseRewriter(b"1.1").to_client([hints])

    assert (seen.status_code, list(seen.headers)) == (103, [(b"link", b"</s.css>")])
    assert ResponseRewriter(b"1.0").to_client([hints]) == []


def test_trailers_are_dropped():
    """RFC 9110, 6.5.1: trailers are not merged and not passed on."""
    end = h11.EndOfMessage(headers=[("X-Forwarded-For", "1.2.3.4")])

    (seen,) = ResponseRewriter(b"1.1").to_client([end])

    assert list(seen.headers) == []
