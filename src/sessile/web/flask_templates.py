"""``session`` of Flask's templates: a stored value comes before our attribute of that name.

Jinja looks for an attribute first, so ``{% if session.user %}`` would ask who is logged in, and not
for ``session["user"]``, as a page that was written for Flask's own session means it.
"""

from collections.abc import Iterator
from typing import Any, Final

import flask

_OF_A_DICT: Final = frozenset(dir(dict))  # which come first in Flask's own session, too


class TemplateSession:
    """The request's session as templates see it."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        session = flask.session
        if name not in _OF_A_DICT and not name.startswith("_") and name in session:
            return session[name]
        return getattr(session, name)

    def __getitem__(self, key: str) -> Any:
        return flask.session[key]

    def __contains__(self, key: object) -> bool:
        return key in flask.session

    def __iter__(self) -> Iterator[str]:
        return iter(flask.session)

    def __len__(self) -> int:
        return len(flask.session)
