"""Tell, once each, of stored keys that are names of a session's own attributes.

Jinja looks for an attribute first: ``{{ request.session.user }}`` is who is logged in, whatever
``session["user"]`` holds. ``web.flask_templates`` looks for the value first; elsewhere the log says
so. ``service.save`` and ``service.commit`` ask, for what they store.
"""

from collections.abc import Iterable
from typing import Final

from sessile.core.session import Session
from sessile.wire.log import log_shadowed

SHADOWING: Final = frozenset(
    name for name in dir(Session) if not name.startswith("_") and not hasattr(dict, name)
)
"""The names; not those that a dict has as well, which no template ever reached."""


def warn_of_shadows(keys: Iterable[str]) -> None:
    """Log each of these keys that an attribute shadows, the first time that it is stored."""
    for key in SHADOWING.intersection(keys):
        log_shadowed(key)
