"""``sessile node url``: where workers find the node, with the password. ``cluster.users``."""

from pathlib import Path
from typing import Annotated

import typer

from sessile.cli.node_options import own_ring
from sessile.cluster.peers import parse_place
from sessile.cluster.users import NodeStore, url_of, users_of
from sessile.wire.nats.endpoint import PORT


def url(
    hosts: Annotated[
        str, typer.Argument(metavar="HOST:PORT,...", help="The nodes that workers may ask.")
    ] = f"127.0.0.1:{PORT}",
    ca: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The nodes' authority, where they are asked by TLS."),
    ] = None,
    store: Annotated[
        NodeStore,
        typer.Option(
            help="nats: workers ask; replicated: each has all sessions in its memory; backup: a "
            "session is on some of the nodes."
        ),
    ] = NodeStore.NATS,
) -> None:
    """Print the URL of the store, with the password.

    The password is derived from the newest secret of SESSILE_SECRETS, so whoever has those needs no
    other one. Nothing else is printed:

        SESSILE_URL="$(sessile node url)"
    """
    places = [parse_place(host.strip(), PORT) for host in hosts.split(",")]
    newest, *_ = users_of(own_ring())
    authority = None if ca is None else str(ca.absolute())
    typer.echo(url_of(newest, places, authority, store))
