"""A small embedded balancer for development, the demo and the lab. It knows nothing of sessions.

    servers = [Server("a", "127.0.0.1", 8001), Server("b", "127.0.0.1", 8002)]
    asyncio.run(serve(Balancer(servers, affinity=Affinity.COOKIE, port=8000)))

``routing``, ``health``, ``headers``, ``message``, ``refusal`` and ``cookie`` decide and are pure;
``peer``, ``pool``, ``probe``, ``tunnel``, ``carrier``, ``visit`` and ``balancer`` do.
"""

from sessile.errors import MissingExtra

try:
    import h11 as _h11  # noqa: F401  (only to name the extra when it is missing)
except ImportError as error:
    raise MissingExtra("the embedded balancer", "balance") from error

from sessile.balance.balancer import Balancer
from sessile.balance.fleet import Report
from sessile.balance.health import Check, State
from sessile.balance.limits import Limits
from sessile.balance.routing import Affinity
from sessile.balance.serve import serve
from sessile.balance.server import Server

__all__ = ["Affinity", "Balancer", "Check", "Limits", "Report", "Server", "State", "serve"]
