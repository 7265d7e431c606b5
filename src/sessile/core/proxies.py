"""Trusted proxies: whose word on the client's address is taken. ``web`` hands over the header.

Each proxy adds to the right of its header, and what stands to the left may be the client's own
writing. So both readers begin at the right and stop at what they cannot read: nothing that a client
wrote changes how the part of a proxy is understood, not even a quote that it left open.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache, partial
from itertools import islice
from typing import Final

from sessile.core.address import canonical
from sessile.core.options import suggest_options
from sessile.errors import ConfigError

_MAX_HOPS: Final = 32
_CACHE_SIZE: Final = 1024
_UNIX: Final = "unix"
_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")

WINDOW: Final = 2048  # characters at the right end; what is further left is not looked at

_OWS: Final = r"[ \t]*+"
_NAME: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_BACKWARDS: Final = re.compile(
    # One optional pair name=value of RFC 7239, 4, and what stands before it; to be matched
    # against reversed text. Brackets and colons are taken without quotes too: proxies write so.
    rf'{_OWS}(?:(?:"((?:.\\|[^"\\])*)"|([][:!#$%&\'*+\-.^_`|~0-9A-Za-z]++))=({_NAME}))?'
    rf"{_OWS}([;,]|\Z)",
    re.ASCII | re.DOTALL,
)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Ranges = Mapping[tuple[int, int], frozenset[int]]
"""For each version and number of host bits, the networks of that size without these bits."""


class ForwardedHeader(Enum):
    """The header in which your proxies name the client. Choose the one that they set."""

    X_FORWARDED_FOR = "x-forwarded-for"  # addresses, each proxy adds its peer at the right
    FORWARDED = "forwarded"  # RFC 7239


@suggest_options
@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies in front of the application whose header is believed. Checked at birth.

    Without any, the client is the other end of the socket and no header is looked at.

    Args:
        trusted: addresses (``"10.0.0.7"``), networks (``"10.0.0.0/8"``), or ``"unix"`` for
            whoever connects over a unix socket.
        header: the one header they set. The other could be the client's own writing.

    Raises:
        ConfigError: something that is no address or network, or one that holds everybody.
    """

    trusted: Sequence[str] = ()
    header: ForwardedHeader = ForwardedHeader.X_FORWARDED_FOR
    _unix: bool = field(init=False, repr=False, compare=False)
    _trusts: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    _hops: Callable[[str], Iterator[str | None]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        entries = _entries(self.trusted)
        ranges = _ranges(_network(entry) for entry in entries if entry != _UNIX)
        if not isinstance(self.header, ForwardedHeader):
            raise ConfigError(
                f"header={self.header!r}: write ForwardedHeader.X_FORWARDED_FOR or FORWARDED"
            )
        is_list = self.header is ForwardedHeader.X_FORWARDED_FOR
        put = object.__setattr__
        put(self, "trusted", entries)
        put(self, "_unix", _UNIX in entries)
        put(self, "_trusts", lru_cache(_CACHE_SIZE)(partial(_within, ranges)))
        put(self, "_hops", hops_of_x_forwarded_for if is_list else hops_of_forwarded)

    @property
    def name(self) -> str:
        """The header's name in lower case."""
        return self.header.value

    @property
    def host_name(self) -> str:
        """The name of the header that says which host was asked for, in lower case."""
        is_list = self.header is ForwardedHeader.X_FORWARDED_FOR
        return "x-forwarded-host" if is_list else self.header.value

    def host(self, peer: str, header: str) -> str:
        """Return the host that the nearest proxy was asked for, and ``""`` where nobody says.

        Args:
            peer: the address of the socket's other end; ``""`` for a unix socket.
            header: the value of the header ``host_name``.
        """
        if not header or not self._believes(peer, canonical(peer) or ""):
            return ""
        if self.header is ForwardedHeader.X_FORWARDED_FOR:
            return header[-WINDOW:].rpartition(",")[2].strip(" \t")
        pairs = next(_elements(header), None) or ()
        return next((value for name, value in pairs if name == "host"), "")

    def client(self, peer: str, header: str) -> str:
        """Return the client's canonical address, or ``""`` when it is not known. Never raises.

        From the right, each trusted hop is believed about the one before it; the first that is
        not trusted is the client. A hop that cannot be read ends the walk: the client is then
        the last trusted hop, which is all that is known.

        Args:
            peer: the address of the socket's other end; ``""`` for a unix socket.
            header: the value of the header ``name``, several fields joined with ``","``.
        """
        here = canonical(peer) or ""
        if not self.trusted or not header or not self._believes(peer, here):
            return here
        for hop in islice(self._hops(header), _MAX_HOPS):
            if hop is None:
                break
            here = hop
            if not self._trusts(hop):
                break
        return here

    def _believes(self, peer: str, here: str) -> bool:
        """Tell whether the peer is trusted; a peer that cannot be read is no unix socket."""
        return self._trusts(here) if here else self._unix and not peer


def _entries(trusted: object) -> tuple[str, ...]:
    if isinstance(trusted, str) or not isinstance(trusted, Iterable):
        raise ConfigError(f"trusted={trusted!r}: write a list, as in trusted=['10.0.0.0/8']")
    entries = tuple(trusted)
    for entry in entries:
        if not isinstance(entry, str):
            raise ConfigError(f"trusted proxy {entry!r}: write text, as in '10.0.0.0/8'")
    return entries


def _network(entry: str) -> _Network:
    if entry == "*":
        raise ConfigError(_everybody(entry))
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        raise ConfigError(
            f"trusted proxy {entry!r}: write an address such as '10.0.0.7', a network such as "
            "'10.0.0.0/8', or 'unix'; host names are not looked up"
        ) from None
    _check(entry, network)
    network = _unmap(network)
    if network.prefixlen == 0:
        raise ConfigError(_everybody(entry))
    return network


def _check(entry: str, network: _Network) -> None:
    if "%" in entry:
        raise ConfigError(f"trusted proxy {entry!r}: write it without the zone after '%'")
    if "/" in entry and str(network.network_address) != _host_of(entry):
        raise ConfigError(
            f"trusted proxy {entry!r}: write '{network}' for the network, "
            f"or '{_host_of(entry)}' for the one address"
        )


def _host_of(entry: str) -> str:
    return str(ipaddress.ip_address(entry.partition("/")[0]))


def _unmap(network: _Network) -> _Network:
    """Return an IPv4-mapped network as the IPv4 one; ``canonical`` does so to addresses."""
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        base = int(network.network_address) & 0xFFFF_FFFF
        return ipaddress.IPv4Network((base, network.prefixlen - 96))
    return network


def _everybody(entry: str) -> str:
    return (
        f"trusted proxy {entry!r}: this trusts everybody, so that any client could choose its "
        "own address; name the addresses of your proxies"
    )


def _ranges(networks: Iterable[_Network]) -> _Ranges:
    ranges: dict[tuple[int, int], frozenset[int]] = {}
    for network in networks:
        free = network.max_prefixlen - network.prefixlen
        size = (network.version, free)
        ranges[size] = ranges.get(size, frozenset()) | {int(network.network_address) >> free}
    return ranges


def _within(ranges: _Ranges, address: str) -> bool:
    found = ipaddress.ip_address(address)
    number, version = int(found), found.version
    return any(number >> free in bases for (kind, free), bases in ranges.items() if kind == version)


def hops_of_x_forwarded_for(header: str) -> Iterator[str | None]:
    """Yield the addresses of an X-Forwarded-For header from the right; None is unreadable."""
    pieces = header[-WINDOW:].split(",")
    if len(header) > WINDOW:
        pieces[0] = "?"  # cut in the middle
    for piece in reversed(pieces):
        text = piece.strip(" \t")
        if text:  # RFC 9110, 5.6.1.2: empty elements of a list are ignored
            yield canonical(text)


def hops_of_forwarded(header: str) -> Iterator[str | None]:
    """Yield the addresses of a Forwarded header (RFC 7239) from the right; None is unreadable."""
    for pairs in _elements(header):
        nodes = [value for name, value in pairs or () if name == "for"]
        if pairs is None or len(nodes) != 1:  # RFC 7239, 4: once at most in each element
            yield None
            return
        yield canonical(nodes[0])


def _elements(header: str) -> Iterator[list[tuple[str, str]] | None]:
    """Yield each element's names and values from the right; None where the grammar is broken."""
    text, at = header[: -WINDOW - 1 : -1], 0
    pairs: list[tuple[str, str]] = []
    while at <= len(text):
        found = _BACKWARDS.match(text, at)
        if found is None or (not found[4] and len(header) > WINDOW):
            yield None
            return
        quoted, plain, name, end = found.groups()
        if name is not None:
            value = plain[::-1] if quoted is None else _ESCAPED.sub(r"\1", quoted[::-1])
            pairs.append((name[::-1].lower(), value))
        at = found.end()
        if end == ";":
            continue
        if pairs:
            yield pairs
        pairs = []
        if not end:
            return
