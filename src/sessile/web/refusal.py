"""Answers in place of the application's: what a refused or failed session looks like. Pure.

``web.asgi`` and ``web.wsgi`` send them.
"""

from typing import Final

import msgspec

from sessile.errors import (
    LoginNeeded,
    LostRace,
    StepUpNeeded,
    StoreUnavailable,
    TokenNeeded,
    TooManySessions,
)


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
    StoreUnavailable, LostRace, TooManySessions, LoginNeeded, StepUpNeeded, TokenNeeded,
)  # fmt: skip
"""The errors that ``refusal`` turns into an answer; every other one is the application's."""


_FORBIDDEN: Final[dict[type[Exception], str]] = {
    TooManySessions: "You have as many sessions as allowed; end one first.",
    StepUpNeeded: "Prove once more that it is you, then try again.",
}


def forbidden(text: str) -> Refusal:
    """Return a 403 that says so. A browser shows it as text, whatever stands in it."""
    return plain_answer(403, "Forbidden", text, ("x-content-type-options", "nosniff"))


def refusal(error: Exception) -> Refusal:
    """Return the answer to one of ``REFUSED``."""
    if isinstance(error, LoginNeeded):
        # RFC 9110, 15.5.2: a 401 names a scheme. No browser knows this one, so none opens a dialog.
        challenge = ("www-authenticate", "Session")
        return plain_answer(401, "Unauthorized", "Log in first.", challenge)
    if isinstance(error, TokenNeeded):
        why = TokenNeeded.explain(came=error.came)
        return forbidden(
            f"This form is out of date; load its page again.\n\nFor its developers: {why}."
        )
    for kind, text in _FORBIDDEN.items():
        if isinstance(error, kind):
            return forbidden(text)
    text = "Sessions are unavailable for a moment; try again."
    return plain_answer(503, "Service Unavailable", text, ("retry-after", "1"))


def plain_answer(status: int, reason: str, text: str, *more: tuple[str, str]) -> Refusal:
    """Return an answer of one line."""
    body = f"{text}\n".encode()
    headers = [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", str(len(body))),
        ("cache-control", "no-store"),
        *more,
    ]
    return Refusal(status, reason, headers, body)
