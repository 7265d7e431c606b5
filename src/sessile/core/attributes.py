"""What to write instead of setting an attribute of a session, as ``session.user = user.id``.

``core.session_values`` asks. What an attribute shows is changed by a verb, or is a value.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_LOGIN: Final = "session.login(str(user.id), {})"
_VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "user": "session.login(str(user.id))",
        "assurance": _LOGIN.format("assurance=2"),
        "factors": _LOGIN.format('factors=("password",)'),
        "authenticated_at": _LOGIN.format("authenticated_at=..."),
        "persistent": _LOGIN.format("remember=True"),
        "device": _LOGIN.format('device="..."'),
        "pending": "session.begin_login(str(user.id))",
        "lock": "session.unlock(factors=(...))",
        "locked_user": "session.unlock(factors=(...))",
        "id": "session.rotate() for another ticket, session.login(...) for another id",
        "new": "session.clear() for an empty session",
        "info": "session.note(...) for a line of its trail",
    }
)
"""What changes that which an attribute shows."""


def advise_setter(kind: type, name: str) -> str:
    """Return why an attribute of a session of that class is not set, and what to write."""
    if name in _VERBS:
        return f"session.{name} is read alone: write {_VERBS[name]}"
    if callable(getattr(kind, name, None)):
        return f"session.{name} is a method: write session.{name}(...)"
    return f"a session keeps no attribute {name!r}: write session[{name!r}] = ..."
