"""Floor 7: a small embedded balancer for development and the demo. It knows nothing of sessions.

    servers = [BackendServer("a", "127.0.0.1", 8001), BackendServer("b", "127.0.0.1", 8002)]
    asyncio.run(serve(Balancer(servers, affinity=Affinity.COOKIE, port=8000)))

``routing``, ``health``, ``headers``, ``message``, ``error_response`` and ``cookie`` decide and
are pure; ``peer``, ``pool``, ``probe``, ``tunnel``, ``forwarder``, ``connection`` and
``balancer`` do the I/O.
"""

from sessile.errors import MissingExtra

try:
    import h11 as _h11  # noqa: F401  (only to name the extra when it is missing)
except ImportError as error:
    raise MissingExtra("the embedded balancer", "balance") from error

from sessile.balance.balancer import Balancer
from sessile.balance.group import Report
from sessile.balance.health import HealthCheck, State
from sessile.balance.limits import BalancerLimits
from sessile.balance.routing import Affinity
from sessile.balance.serve import serve
from sessile.balance.server import BackendServer

__all__ = [
    "Affinity",
    "BackendServer",
    "Balancer",
    "BalancerLimits",
    "HealthCheck",
    "Report",
    "State",
    "serve",
]
