"""Watch a session that somebody has open: tell them once it is over, or where the server drains.

``web`` closes sockets then. ``service.watchers`` decides whom to ask the store about; this has the
watchers of an application, one for each of its event loops.
"""

from collections.abc import Callable
from functools import partial

from sessile.core.flow import arun
from sessile.core.life import Life, OpenSession, life_of
from sessile.core.value import Seconds
from sessile.service.alive import find_alive
from sessile.service.context import Context
from sessile.service.watchers import Watch, Watchers
from sessile.wire.ticker import Ticker


def watch(
    context: Context,
    life: Life,
    tell: Callable[[], object],
    leave: Callable[[], object] | None = None,
) -> Watch:
    """Begin to watch a session on this event loop; ``tell`` is called there once it is over.

    Where this server drains ``leave`` is called instead, if it is given, within a second. Who
    watches no longer says so by ``Watch.stop``.
    """
    watchers = context.watchers.get(partial(_make, context))
    context.follow()
    return watchers.add(life, tell, leave)


async def look(context: Context, session: OpenSession) -> Life | None:
    """Ask the store for a session that is open; None where it is over."""
    record = await find_alive(context, session)
    return None if record is None else life_of(context.policy, record)


def _make(context: Context) -> Watchers:
    watchers = Watchers(
        partial(look, context),
        is_fresh=context.is_followed,
        every=context.watches_every,
        clock=lambda: context.clock(),  # noqa: PLW0108  (a test puts another one there)
        tell=context.log.tell_unwatched,
    )
    watchers.waker = Ticker(lambda: arun(_go(context, watchers)))
    return watchers


async def _go(context: Context, watchers: Watchers) -> Seconds | None:
    """Go a round; where nobody watches anything any more there is no next one."""
    if context.is_drained:
        watchers.send_away()
    return await watchers.go()
