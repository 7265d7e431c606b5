"""Ask Sentinels where the primary is; ``wire.resolver`` does, in a thread of its own.

https://redis.io/docs/latest/develop/reference/sentinel-clients/: one after the other, until one of
them knows. Each has its share of the time, so that one that is silent does not keep the others from
being asked.
"""

import socket
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.opaque import Opaque
from sessile.wire.redis.blocking import BlockingConnection
from sessile.wire.redis.endpoint import CommandError, Sentinels
from sessile.wire.redis.resp import pack

Place: TypeAlias = tuple[str, int]

_SHARE: Final = 0.8
"""Of the time there is: the rest is left to say what each one said, before the waiter gives up."""


def ask_sentinels(
    sentinels: Sentinels,
    within: Seconds,
    *_: Any,
    timer: Callable[[], Seconds] = system.timer,
    **more: Any,
) -> Any:
    """Return where the primary is, as ``socket.getaddrinfo`` does.

    Args:
        sentinels: whom to ask, and for what.
        within: for all of them together.
        timer: seconds by a clock that never runs backwards.
        more: those of ``socket.getaddrinfo``, for a primary that has a name.

    Raises:
        OSError: none of them knows; says what each one said.
    """
    refusals = []
    share = within * _SHARE / len(sentinels.servers)
    for place in sentinels.servers:
        try:
            host, port = _ask(sentinels, place, timer() + share, timer)
        except OSError as error:
            refusals.append(f"{place[0]}:{place[1]}: {str(error) or 'no answer in time'}")
        else:
            return socket.getaddrinfo(host, port, **more)
    raise ConnectionError("no Sentinel knows it (" + "; ".join(refusals) + ")")


def _ask(
    sentinels: Sentinels, place: Place, deadline: Seconds, timer: Callable[[], Seconds]
) -> Place:
    """Ask one Sentinel."""
    sock = socket.create_connection(place, max(deadline - timer(), 0.001))
    connection = BlockingConnection(sock, timer)
    try:
        if sentinels.password is not None:
            user = () if sentinels.username is None else (sentinels.username,)
            _reply(connection, ("AUTH", *user, sentinels.password), deadline)
        words = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinels.service)
        found = _reply(connection, words, deadline)
    finally:
        connection.close()
    if found is None:
        raise ConnectionError(f"it watches no {sentinels.service!r}; see its 'sentinel monitor'")
    try:
        host, port = found
        return host.decode("ascii"), int(port)
    except (AttributeError, TypeError, ValueError):
        raise ConnectionError("its answer is no address; is it a Sentinel?") from None


def _reply(connection: BlockingConnection, words: tuple[str, ...], deadline: Seconds) -> Any:
    reply = connection.ask(Opaque(pack(words)), deadline)
    if isinstance(reply, CommandError):
        code = reply.code  # its text may quote the password, as of a Sentinel that takes none
        raise ConnectionError(f"it answers {code}; check sentinel_username and sentinel_password")
    return reply
