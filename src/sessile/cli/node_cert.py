"""``sessile node cert``: an authority, and a certificate for each node. ``cluster.authority``."""

from pathlib import Path

import typer

from sessile.cli.node_options import Folder, Peers
from sessile.cluster.authority import AUTHORITY, CertificateAuthority
from sessile.cluster.peers import parse_peers
from sessile.errors import ConfigError
from sessile.wire import system


def cert(peers: Peers = "", folder: Folder = Path("sessile-certificates")) -> None:
    """Make an authority and a certificate for each node.

    For those who have no authority of their own for this. Run again it makes new certificates of
    the same authority, also for further nodes; the former ones are good until they expire.
    """
    nodes = parse_peers(peers)
    if not nodes:
        raise ConfigError("--peers is missing: it names the nodes, as in a=10.0.0.1,b=10.0.0.2,...")
    authority = CertificateAuthority(folder, system.clock())
    verb = "made" if authority.is_new else "used"
    typer.echo(f"{verb} the authority {folder / AUTHORITY}.pem")
    for peer in nodes:
        files = authority.issue(peer)
        carried = " ".join(str(file) for file in (files.ca, files.cert, files.key))
        typer.echo(f"carry to {peer.name}, {peer.host}, into its node's folder: {carried}")
    typer.echo(
        f"carry {folder / AUTHORITY}.key nowhere: put it where secrets are kept, for further nodes"
    )
