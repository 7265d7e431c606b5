"""``sessile balancer``: what other people's balancers are told. ``balancers`` writes it."""

import typer

from sessile.cli.balancer_kubernetes import print_manifest
from sessile.cli.balancer_print import print_config

balancer_app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@balancer_app.callback()
def balancer() -> None:
    """Put a balancer in front of several servers."""


balancer_app.command("print")(print_config)
balancer_app.command("kubernetes")(print_manifest)
