"""``sessile balancer print``: the configuration of a balancer. ``balancers.kinds`` has them all."""

from typing import Annotated

import typer

from sessile.balancers.kinds import BalancerKind, balancer_config
from sessile.balancers.site import Site, SiteAffinity, parse_servers
from sessile.cli.arguments import SiteHost
from sessile.errors import ConfigError
from sessile.service.options import ring_of_settings


def print_config(
    kind: Annotated[
        BalancerKind, typer.Argument(help="Whose; nginx-sticky is nginx 1.29.6 and newer.")
    ],
    *,
    servers: Annotated[
        str,
        typer.Option(
            metavar="NAME=HOST:PORT,...", help="All servers, as a=10.0.0.1:8000,b=10.0.0.2:8000."
        ),
    ],
    affinity: Annotated[
        SiteAffinity,
        typer.Option(
            help="cookie: a client stays by the cookie that the application writes; address: by "
            "its address; none: any server takes any request."
        ),
    ] = SiteAffinity.COOKIE,
    drain: Annotated[
        str, typer.Option(metavar="NAME,...", help="Servers that nobody new comes to.")
    ] = "",
    host: SiteHost = "shop.example",
    health: Annotated[
        str, typer.Option(metavar="PATH", help="The page that says whether a server is well.")
    ] = "/health",
    certificate: Annotated[
        str,
        typer.Option(
            metavar="FILE", help="The certificate; for HAProxy with its key, or that in FILE.key."
        ),
    ] = "/etc/ssl/shop.pem",
    key: Annotated[
        str, typer.Option(metavar="FILE", help="Its key, for all others.")
    ] = "/etc/ssl/shop.key",
    bind: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where the balancer listens; else everywhere.")
    ] = "",
    http: Annotated[int, typer.Option(metavar="PORT", help="Its port of http.")] = 80,
    https: Annotated[int, typer.Option(metavar="PORT", help="Its port of https.")] = 443,
    folder: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where HAProxy has the socket for commands.")
    ] = "/run/haproxy",
) -> None:
    """Print the configuration of a balancer in front of the servers.

    By cookie, servers are named by tokens, which are derived from the newest secret of
    SESSILE_SECRETS: print it again when that one or the servers change. No secret is printed.
    """
    site = Site(
        parse_servers(servers, secret=_newest(affinity), draining=drain),
        affinity,
        host=host,
        health=health,
        certificate=certificate,
        key=key,
        bind=bind,
        http=http,
        https=https,
        folder=folder,
    )
    typer.echo(balancer_config(kind, site), nl=False)


def _newest(affinity: SiteAffinity) -> bytes | None:
    """Return the secret that tokens are derived from, where there are any."""
    if affinity is not SiteAffinity.COOKIE:
        return None
    ring = ring_of_settings(None)
    if ring is None:
        raise ConfigError(
            "SESSILE_SECRETS is not set: the values of the cookie are derived from it, so give the "
            "command what the servers have; or write --affinity address, which needs none"
        )
    return ring.newest
