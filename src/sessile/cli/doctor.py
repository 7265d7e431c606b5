"""``sessile doctor``: say what is wrong with a set-up, a line for each check of ``cli.checks``."""

from typing import Final

import typer

from sessile.cli.arguments import App, Url
from sessile.cli.checks import examine
from sessile.cli.operator import open_application
from sessile.cli.printable import printable
from sessile.stores.finding import Mark
from sessile.wire import system

_COLOUR: Final = {Mark.FINE: "green", Mark.NOTE: "yellow", Mark.WRONG: "red"}


def doctor(url: Url = None, app: App = None) -> None:
    """Check the set-up.

    URL, driver, store, secrets, cookie, clock, a whole round trip, and what ends sessions in the
    store or lets people in, in this order. It sees what the application's environment says, so run
    it where the application runs. No password and no secret is printed, only fingerprints that tell
    secrets apart. What stands in the application's code is seen with --app alone.
    """
    wrong = 0
    sessions = None if app is None else open_application(app, url)
    for finding in examine(url, system.clock, system.entropy, sessions):
        mark = typer.style(finding.mark.value, fg=_COLOUR[finding.mark])
        typer.echo(f"{mark} {finding.subject:<10} {printable(finding.message)}")
        wrong += finding.mark is Mark.WRONG
    if wrong:
        raise typer.Exit(1)
