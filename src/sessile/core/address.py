"""A client's address in canonical form. ``core.proxies`` finds out whose address it is."""

import ipaddress
import re
from functools import lru_cache
from typing import Final

MAX_LENGTH: Final = 72  # 45 of IPv6 with an IPv4 tail, brackets, a port, an interface's name
_CACHE_SIZE: Final = 2048
_BRACKETED: Final = re.compile(r"\[([^][]*:[^][]*)\](?::[0-9]{1,5})?", re.ASCII)
_WITH_PORT: Final = re.compile(r"([0-9.]+):[0-9]{1,5}", re.ASCII)
_ZONE: Final = re.compile(r"([0-9A-Fa-f:.]+)%[^%\x00-\x20\x7f]+", re.ASCII)


def canonical(text: str) -> str | None:
    """Return the canonical text of an IPv4 or IPv6 address; anything else is None, never an error.

    A port and a zone (``fe80::1%eth0``) are dropped. An IPv4 address mapped into IPv6
    (``::ffff:192.0.2.1``) is that IPv4 address.
    """
    return _parse(text) if 2 <= len(text) <= MAX_LENGTH else None  # longer: not cached


@lru_cache(_CACHE_SIZE)
def subnet(address: str) -> str:
    """Return the network around a canonical address: /24 of IPv4, /64 of IPv6; ``""`` has none."""
    if ":" not in address:
        return f"{address.rpartition('.')[0]}.0/24" if address else ""
    network = int(ipaddress.IPv6Address(address)) >> 64 << 64
    return f"{ipaddress.IPv6Address(network)}/64"


def is_same_family(one: str, other: str) -> bool:
    """Tell whether two canonical addresses are both of IPv4, or both of IPv6."""
    return (":" in one) is (":" in other)


@lru_cache(_CACHE_SIZE)
def _parse(text: str) -> str | None:
    bare = _host(text)
    if "%" in bare:  # a zone that is none
        return None
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _host(text: str) -> str:
    """Return the text without brackets, port and zone."""
    found = _BRACKETED.fullmatch(text) or _WITH_PORT.fullmatch(text)
    host: str = found[1] if found else text
    zoned = _ZONE.fullmatch(host) if ":" in host else None
    return zoned[1] if zoned else host
