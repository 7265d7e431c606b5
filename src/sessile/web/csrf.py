"""Where a CSRF token stands in a request, and which requests need one.

``web.starlette``, ``web.fastapi`` and ``web.flask`` say ``csrf_token`` and ``check_csrf`` in their
own way; elsewhere ``Sessions.csrf_token`` and ``Sessions.check_csrf`` do.
"""

from typing import Final

from sessile.core.origin import SAFE

CSRF_FIELD: Final = "csrf_token"
"""The form field that brings a token back."""

CSRF_HEADER: Final = "x-csrf-token"
"""The header that brings it back from a script."""


def needs_csrf_token(method: str) -> bool:
    """Tell whether a request of that method may change something."""
    return method not in SAFE
