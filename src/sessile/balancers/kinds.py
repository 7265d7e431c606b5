"""The balancers there are configurations for, and which of them tests run."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from sessile.balancers.caddy import caddy_config
from sessile.balancers.envoy import envoy_config
from sessile.balancers.haproxy import haproxy_config
from sessile.balancers.nginx import nginx_config, nginx_sticky_config
from sessile.balancers.site import Site
from sessile.balancers.traefik import traefik_config


class BalancerKind(StrEnum):
    """A balancer that a configuration can be printed for."""

    HAPROXY = "haproxy"
    NGINX = "nginx"
    NGINX_STICKY = "nginx-sticky"  # 1.29.6 and newer
    CADDY = "caddy"
    ENVOY = "envoy"
    TRAEFIK = "traefik"


_CONFIGS: Final[Mapping[BalancerKind, Callable[[Site], str]]] = {
    BalancerKind.HAPROXY: haproxy_config,
    BalancerKind.NGINX: nginx_config,
    BalancerKind.NGINX_STICKY: nginx_sticky_config,
    BalancerKind.CADDY: caddy_config,
    BalancerKind.ENVOY: envoy_config,
    BalancerKind.TRAEFIK: traefik_config,
}


def balancer_config(kind: BalancerKind, site: Site) -> str:
    """Return the configuration of a balancer in front of the site: one file."""
    return _CONFIGS[kind](site)
