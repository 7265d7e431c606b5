"""What ASGI and WSGI answers share: the headers that a session adds, and how a failure looks. Pure.

``web.asgi`` and ``web.wsgi`` find out what happened; this says what leaves.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import AnyStr, Final, Generic, TypeAlias

import msgspec

from sessile.core.session import Session
from sessile.errors import (
    ConfigError,
    LimitReached,
    LoginNeeded,
    LostRace,
    StepUpNeeded,
    StoreUnavailable,
    TokenNeeded,
    TooLate,
)

TOO_LATE: Final = (
    "the session was saved when the headers of the answer left; "
    "change it before the first byte of the answer is sent"
)
"""Why a session refuses changes once its answer has started: for ``session.close``."""

UNSEEN: Final = (
    "the session was first used when the headers of the answer had left, too late for the "
    "Vary: Cookie that keeps caches from showing one visitor's page to another; "
    "look at it, as in session.user, before the first byte of the answer is sent"
)
"""Why a session cannot be opened once its answer has started."""

FAILED: Final = "the handler failed before it answered; nothing of its session is saved"
"""Why a session refuses changes once its handler has raised: for ``session.close``."""


def check_saved(session: Session) -> None:
    """Make sure that no value was changed in place after the session was saved.

    Raises:
        TooLate: one was, and that change is lost.
    """
    late = session.changes_since_delta()
    if late:
        raise TooLate(f"session[{late[0]!r}] was changed in place too late: {TOO_LATE}")


class Spelling(Generic[AnyStr]):
    """The words of the headers below, as text (WSGI) or as bytes (ASGI).

    Args:
        spell: makes such a word of a text.
    """

    __slots__ = (
        "cache_control", "comma", "everything", "no_store", "private", "targeted", "vary",
    )  # fmt: skip

    def __init__(self, spell: Callable[[str], AnyStr]) -> None:
        self.vary: AnyStr = spell("vary")
        self.everything: AnyStr = spell("*")
        self.cache_control: AnyStr = spell("cache-control")
        self.no_store: AnyStr = spell("no-store")
        self.private: AnyStr = spell("private")
        self.comma: AnyStr = spell(", ")
        # RFC 9213: what is said to one kind of cache counts there in place of Cache-Control.
        said = ("-cache-control", "surrogate-control", "edge-control", "x-accel-expires")
        self.targeted: tuple[AnyStr, ...] = tuple(map(spell, said))


TEXT: Final = Spelling(str)
BYTES: Final = Spelling(str.encode)

Headers: TypeAlias = list[tuple[AnyStr, AnyStr]]


def marked(
    headers: Iterable[tuple[AnyStr, AnyStr]],
    ticket: tuple[AnyStr, AnyStr] | None,
    varies: Sequence[AnyStr],
    words: Spelling[AnyStr],
) -> Headers[AnyStr]:
    """Return the headers of an answer that depends on a session, as a list of its own.

    The given headers stay as they are: an application may send one response object to many
    clients, and a cookie left in it would hand one client's session to the others.

    Args:
        headers: the application's.
        ticket: the header with the ticket to send, if there is one.
        varies: the headers of the request that may carry a ticket.
        words: ``TEXT`` or ``BYTES``, as the headers are.
    """
    own = _varied(list(headers), varies, words)
    if ticket is not None:
        own = _unstored(own, words)
        own.append(ticket)
    return own


def _varied(
    headers: Headers[AnyStr], varies: Sequence[AnyStr], words: Spelling[AnyStr]
) -> Headers[AnyStr]:
    """Say ``Vary: Cookie``, so that no cache takes one visitor for another. ``*`` says it too."""
    said = [value for name, value in headers if name.lower() == words.vary]
    if said:
        known = _members(said, words)
        new = [name for name in varies if name.lower() not in known]
        if words.everything in known or not new:
            return headers
        headers, varies = _without(words.vary, headers), said + new
    if varies:
        headers.append((words.vary, words.comma.join(varies)))
    return headers


def _unstored(headers: Headers[AnyStr], words: Spelling[AnyStr]) -> Headers[AnyStr]:
    """Say ``no-store``, unless the application was as strict itself.

    A bare ``private`` is its decision to let the browser keep the page; whatever else it said
    would let a shared cache keep the cookie.
    """
    headers = _untargeted(headers, words)
    said = [value for name, value in headers if name.lower() == words.cache_control]
    if not {words.no_store, words.private}.isdisjoint(_members(said, words)):
        return headers
    headers = _without(words.cache_control, headers)
    headers.append((words.cache_control, words.no_store))
    return headers


def _untargeted(headers: Headers[AnyStr], words: Spelling[AnyStr]) -> Headers[AnyStr]:
    return [header for header in headers if not header[0].lower().endswith(words.targeted)]


def _members(lines: list[AnyStr], words: Spelling[AnyStr]) -> set[AnyStr]:
    return {member.strip().lower() for line in lines for member in line.split(words.comma.strip())}


def _without(name: AnyStr, headers: Headers[AnyStr]) -> Headers[AnyStr]:
    return [header for header in headers if header[0].lower() != name]


class Refusal(msgspec.Struct, frozen=True):
    """An answer in place of the application's. It sets no cookie, and no cache keeps it.

    Attributes:
        status: 503, 403 or 401.
        reason: the phrase of the status line.
        headers: all of them, in lower case.
        body: a short text that names nothing of the inside.
    """

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes


REFUSED: Final = (
    StoreUnavailable, LostRace, LimitReached, LoginNeeded, StepUpNeeded, TokenNeeded,
)  # fmt: skip
"""The errors that ``refusal`` turns into an answer; every other one is the application's."""


_FORBIDDEN: Final[dict[type[Exception], str]] = {
    LimitReached: "You have as many sessions as allowed; end one first.",
    StepUpNeeded: "Prove once more that it is you, then try again.",
    TokenNeeded: "This form is out of date; load its page again.",
}


def forbidden(text: str) -> Refusal:
    """Return a 403 that says so. A browser shows it as text, whatever stands in it."""
    return _refusal(403, "Forbidden", text, ("x-content-type-options", "nosniff"))


def refusal(error: Exception) -> Refusal:
    """Return what to answer to one of ``REFUSED``."""
    if isinstance(error, LoginNeeded):
        # RFC 9110, 15.5.2: a 401 names a scheme. No browser knows this one, so none opens a dialog.
        challenge = ("www-authenticate", "Session")
        return _refusal(401, "Unauthorized", "Log in first.", challenge)
    for kind, text in _FORBIDDEN.items():
        if isinstance(error, kind):
            return forbidden(text)
    text = "Sessions are unavailable for a moment; try again."
    return _refusal(503, "Service Unavailable", text, ("retry-after", "1"))


def _refusal(status: int, reason: str, text: str, *more: tuple[str, str]) -> Refusal:
    body = f"{text}\n".encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *more,
    ]
    return Refusal(status, reason, headers, body)


def prefixes(option: str, given: Iterable[object]) -> tuple[str, ...]:
    """Return the path prefixes that an option names, checked.

    Raises:
        ConfigError: one of them does not begin with ``/``.
    """
    if isinstance(given, str):
        raise ConfigError(f'{option}={given!r}: write a tuple, as in {option}=("/static/",)')
    return tuple(_prefix(option, one) for one in given)


def _prefix(option: str, given: object) -> str:
    if isinstance(given, str) and given.startswith("/"):
        return given
    raise ConfigError(f"{option}: {given!r} is no path; begin with '/', as in '/static/'")
