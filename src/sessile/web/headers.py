"""The headers that a session adds to an answer, for ASGI and WSGI alike. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import AnyStr, Final, Generic, TypeAlias


class HeaderNames(Generic[AnyStr]):
    """The names and words of the headers below, as text (WSGI) or as bytes (ASGI).

    Args:
        encode: makes such a word of a text.
    """

    __slots__ = (
        "cache_control", "comma", "everything", "no_store", "private", "targeted", "vary",
    )  # fmt: skip

    def __init__(self, encode: Callable[[str], AnyStr]) -> None:
        self.vary: AnyStr = encode("vary")
        self.everything: AnyStr = encode("*")
        self.cache_control: AnyStr = encode("cache-control")
        self.no_store: AnyStr = encode("no-store")
        self.private: AnyStr = encode("private")
        self.comma: AnyStr = encode(", ")
        # RFC 9213: what is said to one kind of cache counts there in place of Cache-Control.
        caches = ("-cache-control", "surrogate-control", "edge-control", "x-accel-expires")
        self.targeted: tuple[AnyStr, ...] = tuple(map(encode, caches))


TEXT: Final = HeaderNames(str)
BYTES: Final = HeaderNames(str.encode)

Headers: TypeAlias = list[tuple[AnyStr, AnyStr]]


def with_session_headers(
    headers: Iterable[tuple[AnyStr, AnyStr]],
    tickets: Sequence[tuple[AnyStr, AnyStr]],
    varies: Sequence[AnyStr],
    words: HeaderNames[AnyStr],
) -> Headers[AnyStr]:
    """Return the headers of an answer that depends on a session, as a list of its own.

    The given headers stay as they are: an application may send one response object to many
    clients, and a cookie left in it would hand one client's session to the others.

    Args:
        headers: the application's.
        tickets: the headers with the ticket to send, if there is one, and of cookies that go.
        varies: the headers of the request that may carry a ticket.
        words: ``TEXT`` or ``BYTES``, as the headers are.
    """
    own = _add_vary(list(headers), varies, words)
    if tickets:
        own = _add_no_store(own, words)
        own += tickets
    return own


def _add_vary(
    headers: Headers[AnyStr], varies: Sequence[AnyStr], words: HeaderNames[AnyStr]
) -> Headers[AnyStr]:
    """Say ``Vary: Cookie``, so that no cache takes one visitor for another. ``*`` says it too."""
    given = [value for name, value in headers if name.lower() == words.vary]
    if given:
        known = _members(given, words)
        new = [name for name in varies if name.lower() not in known]
        if words.everything in known or not new:
            return headers
        headers, varies = _without(words.vary, headers), given + new
    if varies:
        headers.append((words.vary, words.comma.join(varies)))
    return headers


def _add_no_store(headers: Headers[AnyStr], words: HeaderNames[AnyStr]) -> Headers[AnyStr]:
    """Say ``no-store``, unless the application was as strict itself.

    A bare ``private`` is its decision to let the browser keep the page; whatever else it said
    would let a shared cache keep the cookie.
    """
    headers = _drop_targeted(headers, words)
    given = [value for name, value in headers if name.lower() == words.cache_control]
    if not {words.no_store, words.private}.isdisjoint(_members(given, words)):
        return headers
    headers = _without(words.cache_control, headers)
    headers.append((words.cache_control, words.no_store))
    return headers


def _drop_targeted(headers: Headers[AnyStr], words: HeaderNames[AnyStr]) -> Headers[AnyStr]:
    return [header for header in headers if not header[0].lower().endswith(words.targeted)]


def _members(lines: list[AnyStr], words: HeaderNames[AnyStr]) -> set[AnyStr]:
    return {member.strip().lower() for line in lines for member in line.split(words.comma.strip())}


def _without(name: AnyStr, headers: Headers[AnyStr]) -> Headers[AnyStr]:
    return [header for header in headers if header[0].lower() != name]
