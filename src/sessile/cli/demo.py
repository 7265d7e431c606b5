"""``sessile demo``: start the shop on several servers. ``demo.launcher`` does it."""

from typing import Annotated

import typer

from sessile.cli.arguments import Url
from sessile.wire import system


def demo(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port of the balancer.", min=0, max=65535)] = 8000,
    servers: Annotated[int, typer.Option(help="How many shops to start.", min=1, max=16)] = 3,
    url: Url = None,
) -> None:
    """Serve a small shop from several servers.

    They share one store and stand behind a balancer; the page shows who served it.
    """
    from sessile.demo.launcher import launch  # noqa: PLC0415  (an extra, which it names itself)

    place = url or system.setting("SESSILE_URL")
    raise typer.Exit(launch(host=host, port=port, servers=servers, url=place))
