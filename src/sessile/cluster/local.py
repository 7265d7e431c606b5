"""Which URLs mean the node of this host, for development. ``local_node`` has it."""

from typing import Final

from sessile.stores.location import Location

_ON_NODES: Final = frozenset(("nats", "replicated", "backup"))


def needs_node(url: str) -> bool:
    """Tell whether the servers of a store are nodes, and its URL names none of them."""
    scheme, mark, _ = url.partition("://")
    return bool(mark) and scheme.lower() in _ON_NODES and Location(url).host is None
