"""What the commands of ``sessile node`` take alike: peers, a folder, the secrets."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from sessile.core.secrets import KeyRing
from sessile.errors import ConfigError
from sessile.service.options import ring_of_settings

Peers: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME=HOST,...",
        help="All nodes, the same on each host, as a=10.0.0.1,b=10.0.0.2,c=10.0.0.3; a port stands "
        "behind the host, 6222 unless said otherwise.",
    ),
]
Folder: TypeAlias = Annotated[
    Path, typer.Option(metavar="FOLDER", help="Where it keeps its files.")
]


def own_ring() -> KeyRing:
    """Return the ring of the environment.

    Raises:
        ConfigError: there is none, or it is weak.
    """
    ring = ring_of_settings(None)
    if ring is None:
        raise ConfigError(
            "SESSILE_SECRETS is not set: run `sessile keygen` once and give every node and every "
            "worker what it prints"
        )
    return ring
