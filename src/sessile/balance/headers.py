"""Which headers cross a hop. Pure, pairs in and pairs out; ``message`` applies it to events."""

from collections.abc import Iterable
from typing import TypeAlias

Headers: TypeAlias = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1, and the two that address the next hop alone (11.7.1 and 11.7.2).
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

# RFC 9110, 7.6.1: no option may name a field meant for all recipients. A client that names one
# anyway tries to change what the server sees behind the balancer's back.
NOT_AN_OPTION = frozenset({b"content-length", b"cookie", b"host"})

# Written by the first hop or by nobody. ``Proxy`` would become HTTP_PROXY in a CGI environment.
FIRST_HOP = frozenset({b"forwarded", b"proxy", b"x-real-ip"})


def values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return every value of one field, in order."""
    return [value for field, value in headers if field.lower() == name]


def options(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """Return the members of a comma-separated field, in lower case."""
    members = (member.strip() for value in values(headers, name) for member in value.split(b","))
    return [member.lower() for member in members if member]


def end_to_end(headers: Headers) -> Headers:
    """Return the headers that are meant for more than the next hop."""
    named = frozenset(options(headers, b"connection")) - NOT_AN_OPTION
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def strip_forwarded(headers: Headers) -> Headers:
    """Return the headers without those that only the first hop can know.

    CGI and WSGI write ``X_Real_IP`` and ``X-Real-IP`` as one name, so they are one name here.
    """
    return [(name, value) for name, value in headers if not _is_first_hop(name)]


def _is_first_hop(name: bytes) -> bool:
    plain = name.lower().replace(b"_", b"-")
    return plain in FIRST_HOP or plain.startswith(b"x-forwarded-")


def forwarding_headers(address: str, host: bytes | None, proto: str = "http") -> Headers:
    """Return the headers of the first hop: the client's address, the protocol, the host."""
    headers = [(b"X-Forwarded-For", address.encode()), (b"X-Forwarded-Proto", proto.encode())]
    return headers if host is None else [*headers, (b"X-Forwarded-Host", host)]
