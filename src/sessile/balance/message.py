"""Rewrite messages for the other side. Pure, h11 events in and out; ``forwarder`` moves them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import h11

from sessile.balance.cookie import RouteCookie
from sessile.balance.headers import (
    Headers,
    end_to_end,
    forwarding_headers,
    options,
    strip_forwarded,
    values,
)

# RFC 9110, 9.2.2: repeating one of these does no more than sending it once.
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})

_ABSOLUTE = re.compile(rb"https?://(?:[^/?#@]*@)?([^/?#@]+)(.*)", re.IGNORECASE | re.DOTALL)


def host_and_target(request: h11.Request) -> tuple[bytes | None, bytes]:
    """Return the host asked for and the target in origin form.

    RFC 9112, 3.2.2: the host of an absolute target replaces the Host header.
    """
    if absolute := _ABSOLUTE.fullmatch(request.target):
        host, rest = absolute.groups()
        return host, rest if rest.startswith(b"/") else b"/" + rest
    return next(iter(values(request.headers, b"host")), None), request.target


def has_body(request: h11.Request) -> bool:
    """Return whether the request's framing announces a body."""
    lengths = values(request.headers, b"content-length")
    return is_chunked(request) or any(length != b"0" for length in lengths)


def is_chunked(request: h11.Request) -> bool:
    """Return whether the body comes in chunks of unknown number."""
    return bool(values(request.headers, b"transfer-encoding"))


def is_replayable(request: h11.Request) -> bool:
    """Return whether the request may be sent again when nobody knows if it arrived."""
    return request.method in IDEMPOTENT and not has_body(request)


def asks_for_websocket(request: h11.Request) -> bool:
    """Return whether the request asks for the one upgrade that is passed on.

    Any other, h2c first of all, would give a client a tunnel past these rules.
    """
    return (
        request.method == b"GET"
        and request.http_version >= b"1.1"
        and not has_body(request)
        and b"upgrade" in options(request.headers, b"connection")
        and options(request.headers, b"upgrade") == [b"websocket"]
    )


def to_server(
    request: h11.Request, *, address: str, cookie: RouteCookie | None, own: str
) -> h11.Request:
    """Return the request as the server sees it.

    Args:
        request: as the client sent it.
        address: the client's.
        cookie: the route cookie, where it is no business of the server's; None where it is.
        own: the balancer's ``host:port``, for a client too old to name a host.
    """
    host, target = host_and_target(request)
    kept = [
        (name, value)
        for name, value in strip_forwarded(end_to_end(request.headers.raw_items()))
        if name.lower() not in {b"host", b"expect"}
    ]
    return h11.Request(
        method=request.method,
        target=target,
        headers=[
            (b"Host", own.encode() if host is None else host),
            *_hide_route(kept, cookie),
            *_next_hop(request),
            *forwarding_headers(address, host),
            # RFC 9110, 7.6.3: a gateway must say in a request that it was there.
            (b"Via", request.http_version + b" sessile"),
        ],
    )


def _hide_route(headers: Headers, cookie: RouteCookie | None) -> Headers:
    if cookie is None:
        return headers
    hidden = [
        (name, cookie.hide(value) if name.lower() == b"cookie" else value)
        for name, value in headers
    ]
    return [(name, value) for name, value in hidden if value or name.lower() != b"cookie"]


def _next_hop(request: h11.Request) -> Headers:
    """Return the headers that each hop writes for itself."""
    headers: Headers = []
    if is_chunked(request):
        headers.append((b"Transfer-Encoding", b"chunked"))
    # RFC 9110, 10.1.1: the expectation is the server's to meet; from HTTP/1.0 it is ignored.
    if request.http_version >= b"1.1" and b"100-continue" in options(request.headers, b"expect"):
        headers.append((b"Expect", b"100-continue"))
    if asks_for_websocket(request):
        headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return headers


@dataclass(frozen=True, slots=True)
class ResponseRewriter:
    """Rewrites the responses to one request.

    Args:
        version: the client's HTTP version.
        set_cookie: the route cookie to hand out, if any.
    """

    version: bytes
    set_cookie: bytes | None = None

    def to_client(self, events: Iterable[h11.Event], *, last: bool = False) -> list[h11.Event]:
        """Return a server's events as the client sees them.

        Args:
            events: from the server.
            last: whether the connection closes after this answer.
        """
        seen = (self._rewrite(event, last=last) for event in events)
        return [event for event in seen if event is not None]

    def _rewrite(self, event: h11.Event, *, last: bool) -> h11.Event | None:
        match event:
            case h11.InformationalResponse():
                return self._interim(event)
            case h11.Response():
                return self._final(event, last=last)
            case h11.Data():
                return event
            case h11.EndOfMessage():
                return h11.EndOfMessage()  # RFC 9110, 6.5.1: trailers may be dropped unread
            case _:
                return None

    def _interim(self, event: h11.InformationalResponse) -> h11.Event | None:
        # RFC 9110, 15.2: nothing of the kind to an HTTP/1.0 client.
        if self.version < b"1.1":
            return None
        headers = end_to_end(event.headers.raw_items())
        if event.status_code == 101:
            headers += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"), *self._route()]
        return h11.InformationalResponse(
            status_code=event.status_code, headers=headers, reason=event.reason
        )

    def _final(self, event: h11.Response, *, last: bool) -> h11.Event:
        headers = end_to_end(event.headers.raw_items()) + self._route()
        if event.status_code == 204:  # RFC 9110, 8.6: no length where there is no content
            headers = [pair for pair in headers if pair[0].lower() != b"content-length"]
        if last:
            headers.append((b"Connection", b"close"))
        return h11.Response(status_code=event.status_code, headers=headers, reason=event.reason)

    def _route(self) -> Headers:
        return [] if self.set_cookie is None else [(b"Set-Cookie", self.set_cookie)]
