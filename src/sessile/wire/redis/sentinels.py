"""Ask Sentinels where the primary is; ``wire.resolver`` does, in a thread of its own.

https://redis.io/docs/latest/develop/reference/sentinel-clients/: one after the other, until one of
them knows. Each has its share of the time, so that one that is silent does not keep the others from
being asked.
"""

import re
import socket
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sessile.core.value import Seconds
from sessile.wire import system
from sessile.wire.commands.blocking import BlockingConnection
from sessile.wire.commands.server import CommandError
from sessile.wire.opaque import Opaque
from sessile.wire.redis.endpoint import Sentinels
from sessile.wire.redis.resp import RESP, pack
from sessile.wire.tls import Tls

Place: TypeAlias = tuple[str, int]

_HOST: Final = re.compile(r"[0-9A-Za-z_:][0-9A-Za-z._:%-]{0,252}")
"""A name or an address: whoever speaks in a Sentinel's place could write anything."""

_SHARE: Final = 0.8
"""Of the time there is: the rest is left to say what each one said, before the waiter gives up."""


def ask_sentinels(
    sentinels: Sentinels,
    within: Seconds,
    *_: Any,
    tls: Tls | None = None,
    timer: Callable[[], Seconds] = system.timer,
    **more: Any,
) -> Any:
    """Return where the primary is, as ``socket.getaddrinfo`` does.

    What they call it is its canonical name.

    Args:
        sentinels: whom to ask, and for what.
        within: for all of them together.
        tls: how each of them is verified, by the name that it is asked at; None speaks plain text.
        timer: seconds by a clock that never runs backwards.
        more: those of ``socket.getaddrinfo``, for a primary that has a name.

    Raises:
        OSError: none of them knows; says what each one said.
    """
    refusals = []
    share = within * _SHARE / len(sentinels.servers)
    for place in sentinels.servers:
        try:
            host, port = _ask(sentinels, place, tls, timer() + share, timer)
        except OSError as error:
            refusals.append(f"{place[0]}:{place[1]}: {str(error) or 'no answer in time'}")
        else:
            found = socket.getaddrinfo(host, port, **more)
            return [(*kind, host, address) for *kind, _, address in found]
    raise ConnectionError("no Sentinel knows it (" + "; ".join(refusals) + ")")


def _ask(
    sentinels: Sentinels,
    place: Place,
    tls: Tls | None,
    deadline: Seconds,
    timer: Callable[[], Seconds],
) -> Place:
    """Ask one Sentinel."""
    sock = socket.create_connection(place, max(deadline - timer(), 0.001))
    connection = BlockingConnection(sock, RESP, timer)
    try:
        if tls is not None:
            connection.start_tls(tls.context, place[0], deadline)
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
        name, number = found
        host, port = name.decode("ascii"), int(number)
    except (AttributeError, TypeError, ValueError):
        host, port = "", 0
    if not (_HOST.fullmatch(host) and 0 < port < 65_536):
        raise ConnectionError("its answer is no address; is it a Sentinel?")
    return host, port


def _reply(connection: BlockingConnection, words: tuple[str, ...], deadline: Seconds) -> Any:
    reply = connection.ask(Opaque(pack(words)), deadline)
    if isinstance(reply, CommandError):
        code = reply.code  # its text may quote the password, as of a Sentinel that takes none
        raise ConnectionError(f"it answers {code}; check sentinel_username and sentinel_password")
    return reply
