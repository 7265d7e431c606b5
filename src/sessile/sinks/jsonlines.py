"""Events as JSON lines through ``logging``. ``sinks.json_line`` encodes the line."""

import logging
from typing import Final

from sessile.core.identity import Lock
from sessile.service import events
from sessile.service.events import End, Event
from sessile.sinks.json_line import encode_line
from sessile.sinks.users import Naming, Users

_LEVELS: Final[dict[type[Event], int]] = {
    events.CrossSite: logging.WARNING,
    events.Denied: logging.WARNING,
    events.LimitReached: logging.WARNING,
    events.Malformed: logging.WARNING,
    events.Mismatched: logging.WARNING,
    events.Refused: logging.WARNING,
    events.Replayed: logging.WARNING,
    events.StoreFailing: logging.ERROR,
}
_ALARMING: Final = frozenset((End.REPLAY, End.THEFT, End.MISMATCH, Lock.MISMATCH, Lock.REPLAY))


class JsonLines:
    """A hook that writes each event as one line of JSON.

    A line holds the event's name, its time, the session's id, the client and the event's own
    fields. The client's address is in it: it is personal data, and a security log is of no use
    without (ASVS 16.2.1 asks who, when, where, what). So let few people read that log, and
    keep it no longer than you must. The user is not in it unless you say so.

    Args:
        logger: the logger's name; its handlers should format with ``"%(message)s"``.
        users: what stands for a user.
        key: for ``Users.PSEUDONYM``: at least 32 bytes that serve nothing else.

    Raises:
        ConfigError: the key is missing, or is of no use.
        WeakSecret: the key could be guessed.
    """

    __slots__ = ("_log", "_user_name")

    def __init__(
        self,
        logger: str = "sessile.events",
        *,
        users: Users = Users.OMITTED,
        key: bytes | None = None,
    ) -> None:
        self._log = logging.getLogger(logger)
        self._user_name = Naming(users, key)

    def __call__(self, event: Event) -> None:
        """Write one event."""
        level = level_of(event)
        if self._log.isEnabledFor(level):
            self._log.log(level, encode_line(event, self._user_name))

    def __repr__(self) -> str:
        return f"<JsonLines to {self._log.name}>"


def level_of(event: Event) -> int:
    """Return the logging level: signs of an attack are warnings, a failing store is an error."""
    if getattr(event, "reason", None) in _ALARMING:
        return logging.WARNING
    return _LEVELS.get(type(event), logging.INFO)
