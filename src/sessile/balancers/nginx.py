"""The configuration of nginx, for any version and for one that has ``sticky``. See ``site``."""

from collections.abc import Iterator
from typing import Final

from sessile.balancers.site import Site, SiteAffinity, SiteServer
from sessile.core.route import ROUTE_COOKIE

_FAILS: Final = "max_fails=1 fail_timeout=5s"
_DRAIN: Final = {
    SiteAffinity.COOKIE: "nobody new comes to a, and whoever's cookie names it stays:",
    SiteAffinity.ADDRESS: "nobody comes to a any more, its clients go to others at once:",
    SiteAffinity.NONE: "nobody comes to a any more:",
}


def nginx_config(site: Site) -> str:
    """Return a file of /etc/nginx/conf.d, for any version."""
    if site.affinity is not SiteAffinity.COOKIE:
        return _page(site, "1.18", _upstream("shop", site, _server_lines(site)), "shop")
    groups = [_route_map(site), _upstream("shop", site, _server_lines(site))]
    groups += [_own_upstream(server, site) for server in site.servers]
    return _page(site, "1.18", "\n\n".join(groups), "$shop_upstream")


def nginx_sticky_config(site: Site) -> str:
    """Return a file of /etc/nginx/conf.d, for nginx 1.29.6 and newer."""
    group = _upstream("shop", site, _server_lines(site, sticky=True), sticky=True)
    if site.affinity is SiteAffinity.COOKIE:
        token = "[A-Za-z0-9_-]{20}"  # noqa: S105  (the form of one)
        route = f"""\
# the application writes this cookie: nginx obeys it, and hands it on as it came
map $http_cookie $shop_route {{
    "~(?:^|; ?){ROUTE_COOKIE}=(?<shop_token>{token})(?:;|$)" $shop_token;
}}"""
        group = f"{route}\n\n{group}"
    return _page(site, "1.29.6", group, "shop", h2="\n    http2 on;")


def _page(site: Site, version: str, groups: str, upstream: str, *, h2: str = "") -> str:
    return f"""\
# /etc/nginx/conf.d/shop.conf, for nginx {version} and newer; nginx -t tries it, from there
# To drain, {_DRAIN[site.affinity]}
#     sessile balancer print nginx{"-sticky" if h2 else ""} --drain a ... > shop.conf
#     nginx -s reload
# nginx asks no health page: a server that refuses, or is silent for 2 s, is left out for 5 s.
map $http_upgrade $connection_upgrade {{
    default upgrade;
    # connections to the servers stay open
    ""      "";
}}

{groups}

server {{
    listen {_listener(site, site.http)};
    server_name {site.host};
    return 301 https://$host{site.https_suffix}$request_uri;
}}

server {{
    listen {_listener(site, site.https)} ssl;{h2}
    server_name {site.host};
    ssl_certificate     {site.certificate};
    ssl_certificate_key {site.key};
    ssl_protocols       TLSv1.2 TLSv1.3;

    proxy_http_version 1.1;
    proxy_set_header Host              $http_host;
    proxy_set_header X-Forwarded-Host  $http_host;
    # the client's address is added at the right, where Proxies looks for it
    proxy_set_header X-Forwarded-For   $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade           $http_upgrade;
    proxy_set_header Connection        $connection_upgrade;
    # whoever's server cannot be reached is with another one at once; a POST that was sent is not
    # sent again, and nothing that a server was slow with
    proxy_connect_timeout       2s;
    proxy_next_upstream         error timeout;
    proxy_next_upstream_timeout 10s;
    # a WebSocket that is silent for so long is closed; uvicorn sends a ping every 20 s
    proxy_read_timeout          60s;
    # a larger upload is a 413
    client_max_body_size        10m;

    location / {{
        proxy_pass http://{upstream};
    }}
}}
"""


def _listener(site: Site, port: int) -> str:
    return site.listener(port).removeprefix(":")


def _route_map(site: Site) -> str:
    rows = "\n".join(
        f'    "~(?:^|; ?){ROUTE_COOKIE}={server.token}(?:;|$)" shop_{server.name};'
        for server in site.servers
    )
    return f"""\
# the application writes this cookie: nginx obeys it, and hands it on as it came
map $http_cookie $shop_upstream {{
    default shop;
{rows}
}}"""


def _upstream(name: str, site: Site, lines: Iterator[str], *, sticky: bool = False) -> str:
    method = (
        """\
    # by the client's address: all behind one NAT are on one server, and whoever's address changes,
    # as with a mobile phone, changes the server. When one dies its clients alone move. (ip_hash
    # looks at the first three numbers of an address alone.)
    hash $remote_addr consistent;
"""
        if site.affinity is SiteAffinity.ADDRESS
        else """\
    # new clients go where the fewest requests are
    least_conn;
"""
    )
    route = (
        "    sticky route $shop_route;\n" if sticky and site.affinity is SiteAffinity.COOKIE else ""
    )
    return _group(name, method, lines, route)


def _own_upstream(server: SiteServer, site: Site) -> str:
    lines = [f"server {server.place} {_FAILS};"]
    lines += [f"server {other.place} {_FAILS} backup;" for other in site.others(server)]
    return _group(f"shop_{server.name}", "    least_conn;\n", iter(lines))


def _group(name: str, method: str, lines: Iterator[str], route: str = "") -> str:
    servers = "".join(f"    {line}\n" for line in lines)
    return f"""\
upstream {name} {{
    zone {name} 64k;
{method}{servers}    keepalive 32;
    # less than the 5 s of uvicorn, so that no POST meets a connection that is being closed
    keepalive_timeout 4s;
{route}}}"""


def _server_lines(site: Site, *, sticky: bool = False) -> Iterator[str]:
    """Yield the servers for new clients; ``sticky`` has those that drain among them."""
    for server in site.servers:
        route = f" route={server.token}" if sticky and server.token else ""
        if not server.drains:
            yield f"server {server.place} {_FAILS}{route};"
        elif route:
            yield f"server {server.place} {_FAILS}{route} drain;"
        else:
            yield f"server {server.place} down;"
