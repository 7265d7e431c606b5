"""The configuration of Caddy. ``site`` says what stands in it.

Caddy's own ``lb_policy cookie`` names a server by a hash of its own and writes the cookie; here
the application does, so a matcher for each token leads to its server.
"""

import re
from collections.abc import Sequence
from typing import Final

from sessile.balancers.site import Site, SiteAffinity, SiteServer
from sessile.core.route import ROUTE_COOKIE

_POLICY: Final = {
    SiteAffinity.COOKIE: """\
        # new clients go where the fewest requests are
        reverse_proxy {places} {{
            lb_policy least_conn
            import shop
        }}""",
    SiteAffinity.ADDRESS: """\
        # by the client's address: all behind one NAT are on one server, and whoever's address
        # changes, as with a mobile phone, changes the server. When one dies its clients alone move.
        reverse_proxy {places} {{
            lb_policy ip_hash
            import shop
        }}""",
    SiteAffinity.NONE: """\
        # each request goes where the fewest are
        reverse_proxy {places} {{
            lb_policy least_conn
            import shop
        }}""",
}


def caddy_config(site: Site) -> str:
    """Return the whole of /etc/caddy/Caddyfile."""
    bind = f"\n    bind {site.bind}" if site.bind else ""
    stays = " whoever's cookie names it stays:" if site.affinity is SiteAffinity.COOKIE else ""
    routes = "".join(_route(server, site) for server in site.servers if server.token)
    text = f"""\
# /etc/caddy/Caddyfile, for Caddy 2.6 and newer; try it with caddy validate --config FILE
# To drain, nobody new comes to a,{stays}
#     sessile balancer print caddy --drain a ... > Caddyfile
#     caddy reload
# What a client writes into X-Forwarded-For is dropped, and its address put there; X-Forwarded-Host
# and -Proto come by themselves, and so do WebSockets.
{{
    http_port {site.http}
    https_port {site.https}
}}

(shop) {{
    # whoever's server cannot be reached is with another one at once; a POST that was sent is not
    # sent again
    lb_try_duration 5s
    lb_try_interval 50ms
    fail_duration 5s
    max_fails 1
    health_uri {site.health}
    health_interval 1s
    health_timeout 1s
    health_headers {{
        Host {site.host}
    }}
    transport http {{
        dial_timeout 500ms
        # less than the 5 s of uvicorn, so that no POST meets a connection that is being closed
        keepalive 4s
    }}
}}

{_redirect(site, bind)}{site.host} {{{bind}
    # without this line Caddy gets itself a certificate
    tls {site.certificate} {site.key}
{routes}
    handle {{
{_POLICY[site.affinity].format(places=_places(site.open))}
    }}
}}
"""
    return re.sub("^(?: {4})+", _tabs, text, flags=re.MULTILINE)


def _redirect(site: Site, bind: str) -> str:
    """Return how http leads to https, which Caddy takes to be at 443 for the world."""
    if site.has_usual_ports:
        return ""
    return f"""\
http://{site.host} {{{bind}
    redir https://{{host}}{site.https_suffix}{{uri}} 301
}}

"""


def _tabs(spaces: re.Match[str]) -> str:
    """Return the indentation that Caddy wants."""
    return "\t" * (len(spaces[0]) // 4)


def _route(server: SiteServer, site: Site) -> str:
    return f"""
    # the application writes this cookie: Caddy obeys it, and hands it on as it came
    @{server.name} header_regexp Cookie `(^|; ?){ROUTE_COOKIE}={server.token}(;|$)`
    handle @{server.name} {{
        reverse_proxy {_places((server, *site.others(server)))} {{
            lb_policy first
            import shop
        }}
    }}
"""


def _places(servers: Sequence[SiteServer]) -> str:
    return " ".join(server.place for server in servers)
