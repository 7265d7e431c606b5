"""What Kubernetes is told of stickiness: an Ingress, or an HTTPRoute of the Gateway API.

Its pods come and go, so whoever stands in front of them finds them by itself, and ties clients to
them by a cookie of its own, which names one in words of its own: no token of ``core.route`` is in
it. It goes by who is ready.
"""

import re
from dataclasses import dataclass
from typing import Final

from sessile.balancers.site import SiteAffinity, check_host, check_port
from sessile.errors import ConfigError

_COOKIE: Final = "ingress-route"
_LABEL: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1035, as Kubernetes has it
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_SERVICE: Final = re.compile(r"(?P<name>[^:]+):(?P<port>[0-9]{1,5})")

_NGINX: Final = "nginx.ingress.kubernetes.io"
_TRAEFIK: Final = "traefik.ingress.kubernetes.io/service.sticky.cookie"
_ANNOTATIONS: Final = {
    SiteAffinity.COOKIE: f"""
    # HAProxy's controller
    haproxy.org/load-balance: leastconn
    haproxy.org/cookie-persistence: {_COOKIE}
    # ingress-nginx, which has not been maintained since March 2026
    {_NGINX}/affinity: cookie
    {_NGINX}/session-cookie-name: {_COOKIE}
    {_NGINX}/session-cookie-secure: "true"
    {_NGINX}/session-cookie-change-on-failure: "true"
    {_NGINX}/session-cookie-samesite: Lax""",
    SiteAffinity.ADDRESS: f"""
    # HAProxy's controller; Traefik's has no word for it
    haproxy.org/load-balance: source
    # ingress-nginx, which has not been maintained since March 2026
    {_NGINX}/upstream-hash-by: $binary_remote_addr""",
    SiteAffinity.NONE: """
    # HAProxy's controller
    haproxy.org/load-balance: leastconn""",
}
_OF_SERVICE: Final = f"""
  annotations:
    # Traefik's controller
    {_TRAEFIK}: "true"
    {_TRAEFIK}.name: {_COOKIE}
    {_TRAEFIK}.secure: "true"
    {_TRAEFIK}.httponly: "true"
    {_TRAEFIK}.samesite: lax"""
_PERSISTENCE: Final = f"""
      # in the experimental channel of the Gateway API; Envoy Gateway has it
      sessionPersistence:
        sessionName: {_COOKIE}
        type: Cookie"""


@dataclass(frozen=True, slots=True)
class KubernetesSite:
    """The application as Kubernetes has it. Checked at birth.

    Args:
        service: name and port of its Service, as ``shop:8000``.
        affinity: what ties a client to a pod.
        host: the name by which browsers ask for it.
        controller: the class of the Ingress or Gateway, as the cluster has it.

    Raises:
        ConfigError: a text would mean something else in a manifest.
    """

    service: str
    affinity: SiteAffinity = SiteAffinity.COOKIE
    host: str = "shop.example"
    controller: str = "haproxy"

    def __post_init__(self) -> None:
        found = _SERVICE.fullmatch(self.service)
        if found is None or _LABEL.fullmatch(found["name"]) is None:
            raise ConfigError(
                f"{self.service!r} is no Service and its port: write shop:8000, of a name in the "
                "same namespace, of small letters, digits and -"
            )
        check_port(int(found["port"]))
        check_host(self.host)
        if _NAME.fullmatch(self.controller) is None:
            raise ConfigError(
                f"{self.controller!r} is no class: write one of those that kubectl get "
                "ingressclass, or gatewayclass, lists"
            )

    @property
    def name(self) -> str:
        """Of its Service, and of all that is made beside it."""
        return self.service.partition(":")[0]

    @property
    def port(self) -> str:
        """Of its Service."""
        return self.service.partition(":")[2]


def ingress_config(site: KubernetesSite) -> str:
    """Return a Service and its Ingress."""
    by_cookie = site.affinity is SiteAffinity.COOKIE
    return f"""\
{_head(site)}
apiVersion: v1
kind: Service
metadata:
  name: "{site.name}"{_OF_SERVICE if by_cookie else ""}
spec:
  # the pods that have this label
  selector:
    app: "{site.name}"
  ports:
    - port: {site.port}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: "{site.name}"
  annotations:{_ANNOTATIONS[site.affinity]}
spec:
  ingressClassName: "{site.controller}"
  tls:
    # kubectl create secret tls {site.name}-tls --cert=FILE --key=FILE
    - hosts: ["{site.host}"]
      secretName: {site.name}-tls
  rules:
    - host: "{site.host}"
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: "{site.name}"
                port:
                  number: {site.port}
"""


def gateway_config(site: KubernetesSite) -> str:
    """Return a Gateway and its routes.

    Raises:
        ConfigError: by address, for which the Gateway API has no word.
    """
    if site.affinity is SiteAffinity.ADDRESS:
        raise ConfigError("the Gateway API has no affinity by address: write cookie, or none")
    by_cookie = site.affinity is SiteAffinity.COOKIE
    return f"""\
{_head(site)}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: "{site.name}"
spec:
  gatewayClassName: "{site.controller}"
  listeners:
    - name: http
      port: 80
      protocol: HTTP
    - name: https
      port: 443
      protocol: HTTPS
      hostname: "{site.host}"
      tls:
        # kubectl create secret tls {site.name}-tls --cert=FILE --key=FILE
        certificateRefs:
          - name: {site.name}-tls
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {site.name}-to-https
spec:
  parentRefs:
    - name: "{site.name}"
      sectionName: http
  rules:
    - filters:
        - type: RequestRedirect
          requestRedirect:
            scheme: https
            statusCode: 301
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: "{site.name}"
spec:
  parentRefs:
    - name: "{site.name}"
      sectionName: https
  hostnames: ["{site.host}"]
  rules:
    - backendRefs:
        - name: "{site.name}"
          port: {site.port}{_PERSISTENCE if by_cookie else ""}
"""


def _head(site: KubernetesSite) -> str:
    return f"""\
# Not run by the tests of sessile. For kubectl apply -f FILE, in the namespace of {site.name}
# A pod that drains is not ready, so its clients go to others at once, and stay logged in there."""
