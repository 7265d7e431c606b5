"""``sessile balancer kubernetes``: what is told to a cluster. ``balancers.kubernetes`` has it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Final

import typer

from sessile.balancers.kubernetes import KubernetesSite, gateway_config, ingress_config
from sessile.balancers.site import SiteAffinity
from sessile.cli.arguments import SiteHost


class ManifestKind(StrEnum):
    """What stands in front of the pods."""

    INGRESS = "ingress"
    GATEWAY = "gateway"


_CONFIGS: Final[Mapping[ManifestKind, Callable[[KubernetesSite], str]]] = {
    ManifestKind.INGRESS: ingress_config,
    ManifestKind.GATEWAY: gateway_config,
}


def print_manifest(
    kind: Annotated[ManifestKind, typer.Argument(help="An Ingress, or the Gateway API.")],
    *,
    service: Annotated[
        str, typer.Option(metavar="NAME:PORT", help="The application's Service, as shop:8000.")
    ],
    affinity: Annotated[
        SiteAffinity,
        typer.Option(
            help="cookie: a client stays by a cookie of the controller's; address: by its address, "
            "with an Ingress; none: any pod takes any request."
        ),
    ] = SiteAffinity.COOKIE,
    host: SiteHost = "shop.example",
    controller: Annotated[
        str,
        typer.Option("--class", metavar="NAME", help="The class of the Ingress, or the Gateway."),
    ] = "haproxy",
) -> None:
    """Print what Kubernetes is told, so that clients stay at a pod.

    Its controllers write a cookie of their own, so this takes no secret; the application hands out
    none, without SESSILE_SERVER.
    """
    site = KubernetesSite(service, affinity, host=host, controller=controller)
    typer.echo(_CONFIGS[kind](site), nl=False)
