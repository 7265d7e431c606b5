"""``sessile list``: the live sessions of one user, or of everybody. ``cli.listing`` prints them."""

import sys
from collections.abc import Iterable, Iterator

from sessile.cli.arguments import App, Json, OneOwner, Url
from sessile.cli.listing import print_json, print_lines, print_table
from sessile.cli.operator import connect
from sessile.cli.progress import show_count
from sessile.core.info import SessionInfo
from sessile.service.sessions import Sessions
from sessile.wire import system


def list_sessions(
    owner: OneOwner = None, url: Url = None, app: App = None, json: Json = False
) -> None:
    """List live sessions.

    Those of everybody, or of one user, oldest login first. On a terminal this is a table. In a
    pipe each session is a line with tabs between id, user, device, created, last seen, expires
    and remembered, as in: sessile list | cut -f1
    """
    on_terminal = sys.stdout.isatty()
    with connect(url, app) as sessions:
        found: Iterable[SessionInfo]
        found = _all(sessions) if owner is None else sessions.sync.of(owner)
        if on_terminal:  # which the progress would share with the list
            found = list(found)
        if json:
            print_json(found)
        elif on_terminal:
            print_table(found, system.clock())
        else:
            print_lines(found)


def _all(sessions: Sessions) -> Iterator[SessionInfo]:
    with show_count("listing") as count:
        for info in sessions.sync.scan():
            count(1)
            yield info
