"""The balancer of a site: ``python -m benchmarks.cluster.front PORT PORT,PORT``.

Each request goes to the next server that is up; nobody is tied to one.
"""

import sys
import threading

import uvloop
from chaos.worker import end_with_parent

from sessile.balance import Affinity, BackendServer, Balancer, BalancerLimits, HealthCheck, serve

ANSWER = 5.0
"""Seconds until a server that says nothing is given up; the balancer waits 30 unless told."""


def main(port, servers):
    threading.Thread(target=end_with_parent, daemon=True).start()
    balancer = Balancer(
        [BackendServer(each, "127.0.0.1", int(each)) for each in servers.split(",")],
        affinity=Affinity.NONE,
        port=int(port),
        check=HealthCheck("/health"),
        limits=BalancerLimits(answer=ANSWER),
    )
    uvloop.run(serve(balancer))


if __name__ == "__main__":
    main(*sys.argv[1:])
