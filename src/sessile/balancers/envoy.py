"""The configuration of Envoy. ``site`` says what stands in it.

Envoy's own stateful sessions put a server's address into the cookie; here a route for each token
leads to a cluster in which that server comes first.
"""

from collections.abc import Sequence
from typing import Final

from sessile.balancers.site import Site, SiteAffinity, SiteServer
from sessile.cluster.peers import is_address
from sessile.core.route import ROUTE_COOKIE

_DRAIN: Final = {
    SiteAffinity.COOKIE: "nobody new comes to a, and whoever's cookie names it stays:",
    SiteAffinity.ADDRESS: "nobody comes to a any more, its clients go to others:",
    SiteAffinity.NONE: "nobody comes to a any more:",
}
_LEAST: Final = """\
      # new clients go where the fewest requests are
      lb_policy: LEAST_REQUEST"""
_RING: Final = """\
      # by the client's address: all behind one NAT are on one server, and whoever's address
      # changes, as with a mobile phone, changes the server. When one dies its clients alone move.
      lb_policy: RING_HASH"""
_HASH_POLICY: Final = """
                            hash_policy:
                              - connection_properties:
                                  source_ip: true"""


def envoy_config(site: Site) -> str:
    """Return the whole of envoy.yaml."""
    by_address = site.affinity is SiteAffinity.ADDRESS
    routes = "".join(_token_route(server) for server in site.servers if server.token)
    routes += _route("shop", _HASH_POLICY if by_address else "")
    clusters = _cluster("shop", _RING if by_address else _LEAST, [site.open], site)
    for server in site.servers:
        if server.token:
            groups = [group for group in ((server,), site.others(server)) if group]
            clusters += _cluster(f"shop-{server.name}", _LEAST, groups, site)
    port = "" if site.has_usual_ports else f", port_redirect: {site.https}"
    return f"""\
# /etc/envoy/envoy.yaml, for Envoy 1.30 and newer; try it with envoy --mode validate -c FILE
# To drain, {_DRAIN[site.affinity]}
#     sessile balancer print envoy --drain a ... > envoy.yaml
# and start it again, by a hot restart, or deliver clusters and routes by xDS.
static_resources:
  listeners:
    - name: http
{_address(site, site.http)}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
{_manager("http")}
                route_config:
                  virtual_hosts:
                    - name: https
                      domains: ["*"]
                      routes:
                        - match: {{prefix: /}}
                          redirect: {{https_redirect: true{port}}}
    - name: https
{_address(site, site.https)}
      filter_chains:
        - transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.\
DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [h2, http/1.1]
                tls_certificates:
                  - certificate_chain: {{filename: {site.certificate}}}
                    private_key: {{filename: {site.key}}}
          filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
{_manager("https")}
                upgrade_configs:
                  - upgrade_type: websocket
                # a WebSocket that is silent for so long is closed; uvicorn sends a ping every 20 s
                stream_idle_timeout: 60s
                route_config:
                  request_headers_to_add:
                    - header: {{key: x-forwarded-host, value: "%REQ(:authority)%"}}
                      append_action: OVERWRITE_IF_EXISTS_OR_ADD
                  virtual_hosts:
                    - name: shop
                      domains: [{site.host}, "{site.host}:*"]
                      # whoever's server cannot be reached is with another one at once; what was
                      # sent is not sent again
                      retry_policy:
                        retry_on: connect-failure,refused-stream
                        num_retries: 3
                        retry_back_off: {{base_interval: 0.005s, max_interval: 0.05s}}
                        host_selection_retry_max_attempts: 32
                        retry_host_predicate:
                          - name: envoy.retry_host_predicates.previous_hosts
                            typed_config:
                              "@type": type.googleapis.com/envoy.extensions.retry.host.\
previous_hosts.v3.PreviousHostsPredicate
                        retry_priority:
                          name: envoy.retry_priorities.previous_priorities
                          typed_config:
                            "@type": type.googleapis.com/envoy.extensions.retry.priority.\
previous_priorities.v3.PreviousPrioritiesConfig
                            update_frequency: 1
                      routes:
{routes}
  clusters:
{clusters}"""


def _manager(name: str) -> str:
    return f"""\
                "@type": type.googleapis.com/envoy.extensions.filters.network.\
http_connection_manager.v3.HttpConnectionManager
                stat_prefix: {name}
                # the client's address is added at the right of X-Forwarded-For, where Proxies looks
                # for it
                use_remote_address: true
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"""


def _address(site: Site, port: int) -> str:
    address = site.bind or "0.0.0.0"  # noqa: S104  (it is for everybody)
    return f"""\
      address:
        socket_address: {{address: "{address}", port_value: {port}}}"""


def _token_route(server: SiteServer) -> str:
    return f"""\
                        # the application writes this cookie: Envoy obeys it, and hands it on
                        - match:
                            prefix: /
                            headers:
                              - name: cookie
                                string_match:
                                  safe_regex:
                                    regex: "(.*; ?)?{ROUTE_COOKIE}={server.token}(;.*)?"
                          route:
                            cluster: shop-{server.name}
                            timeout: 0s
"""


def _route(cluster: str, hash_policy: str) -> str:
    return f"""\
                        - match: {{prefix: /}}
                          route:
                            cluster: {cluster}
                            timeout: 0s{hash_policy}"""


def _cluster(name: str, policy: str, groups: Sequence[Sequence[SiteServer]], site: Site) -> str:
    places = "".join(_endpoints(place, group) for place, group in enumerate(groups))
    return f"""\
    - name: {name}
      type: {_discovery(site)}
      connect_timeout: 0.5s
{policy}
      # a server that is down gets nobody, also where few are left
      common_lb_config: {{healthy_panic_threshold: {{value: 0}}}}
      # less than the 5 s of uvicorn, so that no POST meets a connection that is being closed
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          common_http_protocol_options: {{idle_timeout: 4s}}
          explicit_http_config: {{http_protocol_options: {{}}}}
      health_checks:
        - timeout: 1s
          interval: 1s
          # else a minute, until somebody has come and that minute is over
          no_traffic_interval: 1s
          unhealthy_threshold: 2
          healthy_threshold: 2
          http_health_check: {{path: {site.health}, host: {site.host}}}
      load_assignment:
        cluster_name: {name}
        endpoints:
{places}"""


def _discovery(site: Site) -> str:
    # STRICT_DNS has some servers late, also where there is nothing to look up
    return "STATIC" if all(is_address(server.host) for server in site.servers) else "STRICT_DNS"


def _endpoints(priority: int, servers: Sequence[SiteServer]) -> str:
    hosts = "".join(
        f"""
              - endpoint:
                  address:
                    socket_address: {{address: "{server.host}", port_value: {server.port}}}"""
        for server in servers
    )
    return f"""\
          - priority: {priority}
            lb_endpoints:{hosts}
"""
