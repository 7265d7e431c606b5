"""The embedded balancer: ``python -m benchmarks.balancing.front PORT AFFINITY a=HOST:PORT,...``."""

import sys
import threading

import uvloop
from chaos.worker import end_with_parent

from benchmarks.tables import TESTS

sys.path.append(TESTS)

from harness.balancers import SECRET
from sessile.balance import Affinity, BackendServer, Balancer, HealthCheck, serve

AFFINITY = {"cookie": Affinity.ROUTE, "address": Affinity.ADDRESS, "none": Affinity.NONE}


def main(port, affinity, servers):
    threading.Thread(target=end_with_parent, daemon=True).start()
    balancer = Balancer(
        [_server(*each.split("=")) for each in servers.split(",")],
        affinity=AFFINITY[affinity],
        port=int(port),
        key=SECRET.encode(),
        check=HealthCheck("/health"),
    )
    uvloop.run(serve(balancer))


def _server(name, place):
    host, port = place.split(":")
    return BackendServer(name, host, int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
