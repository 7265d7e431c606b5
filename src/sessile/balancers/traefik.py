"""The configuration of Traefik. ``site`` says what stands in it.

Traefik's own sticky cookie names a server by a hash of its own, and Traefik writes it; here a
router for each token leads to its server.
"""

from collections.abc import Sequence
from typing import Final

from sessile.balancers.site import Site, SiteAffinity, SiteServer
from sessile.core.route import ROUTE_COOKIE

_DRAIN: Final = {
    SiteAffinity.COOKIE: "nobody new comes to a, and whoever's cookie names it stays:",
    SiteAffinity.ADDRESS: "nobody comes to a any more, its clients go to others:",
    SiteAffinity.NONE: "nobody comes to a any more:",
}
_STRATEGY: Final = {
    SiteAffinity.COOKIE: """\
        # new clients go to the one of two that has fewer requests
        strategy: p2c""",
    SiteAffinity.ADDRESS: """\
        # by the client's address: all behind one NAT are on one server, and whoever's address
        # changes, as with a mobile phone, changes the server. When one dies its clients alone move.
        strategy: hrw""",
    SiteAffinity.NONE: """\
        # each request goes to the one of two that has fewer
        strategy: p2c""",
}


def traefik_config(site: Site) -> str:
    """Return a file for the provider ``file``; what is static stands in its comment."""
    tokens = [server for server in site.servers if server.token]
    routers = "".join(_router(server, site) for server in tokens)
    services = "".join(_own_services(server, site) for server in tokens)
    return f"""\
# Not run by the tests of sessile.
# /etc/traefik/dynamic/shop.yaml, for Traefik 3.5 and newer, which reads it again by itself.
# To drain, {_DRAIN[site.affinity]}
#     sessile balancer print traefik --drain a ... > shop.yaml
# Until a check has failed, once a second, clients of a server that has died may get a 502.
# What a client writes into X-Forwarded-For is dropped, and its address put there; X-Forwarded-Host
# and -Proto come by themselves, and so do WebSockets. /etc/traefik/traefik.yaml has
#     entryPoints:
#       web:
#         address: "{site.listener(site.http)}"
#         http:
#           redirections: {{entryPoint: {{to: websecure, scheme: https}}}}
#       websecure:
#         address: "{site.listener(site.https)}"
#     providers:
#       file: {{directory: /etc/traefik/dynamic, watch: true}}
tls:
  certificates:
    - certFile: {site.certificate}
      keyFile: {site.key}

http:
  routers:
    shop:
      rule: "Host(`{site.host}`)"
      priority: 1
      entryPoints: [websecure]
      service: shop
      middlewares: [shop-again]
      tls: {{}}
{routers}
  middlewares:
    # whoever's server cannot be reached is asked for again
    shop-again:
      retry:
        attempts: 3
        initialInterval: 50ms

  services:
    shop:
      loadBalancer:
{_STRATEGY[site.affinity]}
{_servers(site.open, site)}{services}"""


def _router(server: SiteServer, site: Site) -> str:
    cookie = f"HeaderRegexp(`Cookie`, `(^|; ?){ROUTE_COOKIE}={server.token}(;|$)`)"
    return f"""\
    # the application writes this cookie: Traefik obeys it, and hands it on as it came
    shop-{server.name}:
      rule: "Host(`{site.host}`) && {cookie}"
      priority: 2
      entryPoints: [websecure]
      service: shop-{server.name}
      middlewares: [shop-again]
      tls: {{}}
"""


def _own_services(server: SiteServer, site: Site) -> str:
    return f"""\
    shop-{server.name}:
      failover:
        service: only-{server.name}
        fallback: shop
    only-{server.name}:
      loadBalancer:
{_servers([server], site)}"""


def _servers(servers: Sequence[SiteServer], site: Site) -> str:
    urls = "".join(f"\n          - url: http://{server.place}" for server in servers)
    return f"""\
        healthCheck:
          path: {site.health}
          hostname: {site.host}
          interval: 1s
          timeout: 1s
        servers:{urls}
"""
