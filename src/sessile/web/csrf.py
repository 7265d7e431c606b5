"""CSRF tokens in pages and requests: ``core.csrf`` for any framework.

``web.starlette``, ``web.fastapi`` and ``web.flask`` say ``csrf_token`` and ``check_csrf`` in their
own way; where there is no such module, these two do.
"""

from typing import Final

from sessile.core import csrf
from sessile.core.origin import SAFE
from sessile.core.session import Session
from sessile.errors import TokenNeeded
from sessile.service.parts import Parts

FIELD: Final = "csrf_token"
"""The form field that brings a token back."""

HEADER: Final = "x-csrf-token"
"""The header that brings it back from a script."""


def token_of(parts: Parts, session: Session) -> str:
    """Return a token for a page of this session; another text each time.

    A visitor without a session gets one, for the token to belong to.

    Args:
        parts: ``sessions.parts``.
        session: the request's.

    Raises:
        TooLate: the answer's headers have left, and there is no session.
    """
    record = session.record
    mask = parts.entropy(csrf.MASK)
    if record is not None and session.id == record.key:
        return csrf.token(parts.ring, session.id, record.digest, mask)
    if record is None:
        session.keep()
    ticket = session.fresh()
    return csrf.token(parts.ring, ticket.key, ticket.digest, mask)


def check_token(parts: Parts, session: Session, given: str) -> None:
    """Make sure that a request brought a token of its session.

    Raises:
        TokenNeeded: it brought none, or another session's.
    """
    record = session.record
    if record is None or not csrf.check(parts.ring, record, given):
        raise TokenNeeded


def needs_token(method: str) -> bool:
    """Tell whether a request of that method may change something."""
    return method not in SAFE
