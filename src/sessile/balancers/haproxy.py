"""The configuration of HAProxy. ``site`` says what stands in it."""

from typing import Final

from sessile.balancers.site import Site, SiteAffinity, SiteServer
from sessile.core.route import ROUTE_COOKIE

_DRAIN: Final = {
    SiteAffinity.COOKIE: "nobody new comes to a, and whoever's cookie names it stays:",
    SiteAffinity.ADDRESS: "nobody comes to a any more, its clients go to others at once:",
    SiteAffinity.NONE: "nobody comes to a any more:",
}


def haproxy_config(site: Site) -> str:
    """Return the whole of /etc/haproxy/haproxy.cfg."""
    servers = "\n".join(_server(server) for server in site.servers)
    return f"""\
# /etc/haproxy/haproxy.cfg, for HAProxy 2.4 and newer; try it with haproxy -c -f FILE
# To drain, {_DRAIN[site.affinity]}
#     echo "set server shop/a state drain" | socat stdio {site.folder}/admin.sock
# and "state ready" ends it. Or have the health page answer 404.
global
    log stdout format short daemon
    user haproxy
    group haproxy
    stats socket {site.folder}/admin.sock mode 660 level admin
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    log global
    option httplog
    # the client's address is added at the right of X-Forwarded-For, where Proxies looks for it
    option forwardfor
    # a host that is gone refuses nothing: it is silent
    timeout connect 500ms
    timeout client 30s
    timeout server 30s
    timeout http-request 10s
    # a WebSocket that is silent
    timeout tunnel 1h
    # and is closed when its server's host is gone, so that the client comes back elsewhere
    option srvtcpka
    srvtcpka-idle 10s
    srvtcpka-intvl 5s
    srvtcpka-cnt 3
    # whoever's server cannot be reached goes to another one at the second try
    retries 3
    option redispatch 1
    retry-on conn-failure empty-response

frontend shop
    bind {site.listener(site.http)}
    # certificate and key in one file, or the key beside it in {site.certificate}.key
    bind {site.listener(site.https)} ssl crt {site.certificate} alpn h2,http/1.1
    http-request redirect {_to_https(site)} code 301 unless {{ ssl_fc }}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-request set-header X-Forwarded-Proto https
    default_backend shop

backend shop
{_balance(site)}
    # what may have been done already is not asked twice
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri {site.health} ver HTTP/1.1 hdr Host {site.host}
    # a server whose health page answers 404 drains, and so does one that has no such page
    http-check disable-on-404
    # three connections in a row that are refused take a server out, two checks bring it back. (Not
    # on-marked-down shutdown-sessions: it cuts the very request that is on its way to another one.)
    default-server check inter 1s fall 2 rise 2 observe layer4 error-limit 3 on-error mark-down
{servers}
"""


def _to_https(site: Site) -> str:
    if site.has_usual_ports:
        return "scheme https"
    return f"location https://%[req.hdr(host),host_only]{site.https_suffix}%[pathq]"


def _balance(site: Site) -> str:
    match site.affinity:
        case SiteAffinity.COOKIE:
            return f"""\
    # new clients go where the fewest requests are
    balance leastconn
    # the application writes the cookie: HAProxy obeys it, and hands it on as it came
    cookie {ROUTE_COOKIE}"""
        case SiteAffinity.ADDRESS:
            return """\
    # by the client's address: all behind one NAT are on one server, and whoever's address changes,
    # as with a mobile phone, changes the server. When one dies its clients alone move.
    balance source
    hash-type consistent"""
        case SiteAffinity.NONE:
            return """\
    # each request goes where the fewest are
    balance leastconn"""


def _server(server: SiteServer) -> str:
    cookie = f" cookie {server.token}" if server.token else ""
    return f"    server {server.name} {server.place}{cookie}{' weight 0' if server.drains else ''}"
