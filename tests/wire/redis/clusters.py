"""Clients of a test's cluster, and what is asked through them."""

from sessile.wire.commands.repeat import Repeat
from sessile.wire.redis.cluster import ClusterClient
from sessile.wire.redis.endpoint import Endpoint
from sessile.wire.redis.slots import slot_of

NAME = "redis+cluster://test"
PATIENT = 30.0
"""Seconds, where a cluster is to change of itself within the time limit."""


def client_at(*places, timeout=10.0, **more):
    """Return a client that begins at some places."""
    limits = {"timeout": timeout, "connect_timeout": timeout}
    return ClusterClient(Endpoint(NAME, cluster=places, **limits, **more))


def client_of(cluster, **more):
    """Return a client of a cluster."""
    return client_at(*(node.place for node in cluster.nodes), **more)


async def ask(client, *words, repeat=Repeat.NEVER, **how):
    """Ask for what has its key at the second place."""
    return await client.ask(slot_of(words[1]), "test", *words, repeat=repeat, **how)


async def close(client):
    """Close, as a flow."""
    await client.close()


def map_of(*rows):
    """Return an answer to CLUSTER SLOTS; of rows ``(first, last, (host, port), ...)``."""
    return _array([_array([_integer(a), _integer(b), *map(_node, nodes)]) for a, b, *nodes in rows])


def alone(server):
    """Return the answer of a scripted server that has every slot."""
    return map_of((0, 16_383, ("127.0.0.1", server.port)))


def _node(place):
    host, port = place
    said = b"$-1\r\n" if host is None else b"$%d\r\n%s\r\n" % (len(host), host.encode())
    return _array([said, _integer(port), b"$2\r\nid\r\n"])


def _array(parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def _integer(number):
    return b":%d\r\n" % number
