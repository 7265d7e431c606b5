"""What the balancer answers on its own behalf, and when. Pure; ``forwarder`` sends it."""

from dataclasses import dataclass
from http import HTTPStatus

import h11

from sessile.balance.fault import Fault, PeerFailed, Side
from sessile.balance.headers import Headers, values
from sessile.balance.message import host_and_target


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A short response in place of a server's."""

    status: int
    sentence: str
    retry_after: int | None = None

    @property
    def blames_request(self) -> bool:
        """Return whether the request is at fault: then what follows it is not to be believed."""
        return self.status < 500 or self.status == 501

    def events(self, method: bytes | None, *, close: bool) -> list[h11.Event]:
        """Return the answer to a request of that method."""
        body = f"{self.sentence}\n".encode()
        headers: Headers = [
            (b"Content-Type", b"text/plain; charset=utf-8"),
            (b"Content-Length", b"%d" % len(body)),
            (b"Cache-Control", b"no-store"),
        ]
        if self.retry_after is not None:
            headers.append((b"Retry-After", b"%d" % self.retry_after))
        if close:
            headers.append((b"Connection", b"close"))
        reason = HTTPStatus(self.status).phrase.encode()
        head = h11.Response(status_code=self.status, headers=headers, reason=reason)
        content = [] if method == b"HEAD" else [h11.Data(data=body)]
        return [head, *content, h11.EndOfMessage()]


BAD_REQUEST = ErrorResponse(400, "This request is not well-formed HTTP.")
AMBIGUOUS = ErrorResponse(400, "The length of this request is ambiguous.")
NO_SUCH_TARGET = ErrorResponse(400, "This request target names no resource here.")
TOO_SLOW = ErrorResponse(408, "The request took too long to arrive.")
HEAD_TOO_LARGE = ErrorResponse(431, "The header fields of this request are too large.")
NOT_IMPLEMENTED = ErrorResponse(501, "The balancer does not implement what this request asks for.")
BROKEN_ANSWER = ErrorResponse(502, "The server behind the balancer gave no valid answer.")
NO_SERVER = ErrorResponse(503, "No server is ready. Please try again shortly.", retry_after=1)
NO_ROOM = ErrorResponse(503, "The balancer has no room for another connection.", retry_after=1)
NO_ANSWER = ErrorResponse(504, "The server behind the balancer did not answer in time.")

_BY_HINT = {431: HEAD_TOO_LARGE, 501: NOT_IMPLEMENTED}


class GatewayError(Exception):
    """The balancer answers in place of a server: unwinds to where the response is sent."""

    def __init__(self, response: ErrorResponse) -> None:
        super().__init__(response.sentence)
        self.response = response


def response_to_request(request: h11.Request, *, head: int) -> ErrorResponse | None:
    """Return the response to a request that is not forwarded; None if it is.

    Args:
        request: well-formed, as h11 parsed it.
        head: the most bytes its head may have.
    """
    if _size(request) > head:
        return HEAD_TOO_LARGE
    if _is_ambiguous(request.headers.raw_items(), request.http_version):
        return AMBIGUOUS
    # CONNECT asks for a tunnel, TRACE for an echo of cookies: neither is for a gateway.
    if request.method in {b"CONNECT", b"TRACE"}:
        return NOT_IMPLEMENTED
    _, target = host_and_target(request)
    if not target.startswith(b"/") and (request.method, target) != (b"OPTIONS", b"*"):
        return NO_SUCH_TARGET
    return None


def breaks_framing(event: h11.Event) -> bool:
    """Return whether two readers could disagree where a server's answer ends."""
    return isinstance(event, h11.Response) and _is_ambiguous(
        event.headers.raw_items(), event.http_version
    )


def response_to_failure(failed: PeerFailed) -> ErrorResponse | None:
    """Return the response to a failure; None if the client has closed the connection."""
    match failed.side, failed.fault:
        case Side.CLIENT, Fault.CLOSED:
            return None
        case Side.CLIENT, Fault.SILENT:
            return TOO_SLOW
        case Side.CLIENT, _:
            return _BY_HINT.get(failed.hint, BAD_REQUEST)
        case Side.SERVER, Fault.SILENT:
            return NO_ANSWER
        case _:
            return BROKEN_ANSWER


def _size(request: h11.Request) -> int:
    lines = sum(len(name) + len(value) + 4 for name, value in request.headers.raw_items())
    return lines + len(request.method) + len(request.target) + 14


def _is_ambiguous(headers: Headers, version: bytes) -> bool:
    # RFC 9112, 6.1: a length beside a transfer coding, or a coding before HTTP/1.1, is how
    # requests are smuggled. h11 lets the coding win; here neither does.
    coded = bool(values(headers, b"transfer-encoding"))
    return coded and (version < b"1.1" or bool(values(headers, b"content-length")))
