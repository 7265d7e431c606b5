"""Which node of a Redis Cluster has which slot, as a node says it. Pure; ``redis.nodes`` asks.

https://redis.io/docs/latest/reference/cluster-spec/. What a node says is not trusted before it has
been looked at: whoever speaks in its place could have every command sent anywhere.
"""

import binascii
import hashlib
import re
from typing import Any, Final, TypeAlias

import msgspec

Place: TypeAlias = tuple[str, int]
"""Host and port."""

SLOTS: Final = 16_384
MOST_NODES: Final = 1000  # as the cluster's own specification has it
_HOST: Final = re.compile(r"[0-9A-Za-z._:-]{1,253}(%[0-9A-Za-z._-]{1,63})?")  # a name, IPv4, IPv6
_MIGRATING: Final = re.compile(r"\[(\d{1,5})->-([0-9a-f]+)\]")
_UNKNOWN: Final = "?"

Ranges: TypeAlias = tuple[tuple[int, int, Place], ...]


class SlotMap(msgspec.Struct, frozen=True):
    """Where the slots are.

    Attributes:
        ranges: first slot, last slot and their primary, in the order of the slots.
        replicas: of all of them.
    """

    ranges: Ranges
    replicas: tuple[Place, ...] = ()

    @property
    def primaries(self) -> tuple[Place, ...]:
        """Every node that has slots, sorted."""
        return tuple(sorted({place for _, _, place in self.ranges}))

    def owner(self, slot: int) -> Place | None:
        """Return the primary of a slot; None if there is none."""
        return next((place for first, last, place in self.ranges if first <= slot <= last), None)

    @property
    def fingerprint(self) -> str:
        """Some letters that are others when any slot is elsewhere."""
        return hashlib.sha256(repr(self.ranges).encode()).hexdigest()[:16]


def slot_of(key: bytes | str) -> int:
    """Return the slot of a key; keys with one ``{tag}`` are in one slot."""
    data = key.encode() if isinstance(key, str) else key
    start = data.find(b"{")
    if start >= 0:
        end = data.find(b"}", start + 1)
        if end > start + 1:
            data = data[start + 1 : end]
    return binascii.crc_hqx(data, 0) % SLOTS


def parse_slots(reply: Any, said_by: Place) -> SlotMap:
    """Return the map that a node answers to CLUSTER SLOTS.

    Args:
        reply: as hiredis reads it.
        said_by: where it was asked; a node that knows no host for itself means the one it is at.

    Raises:
        ConnectionError: that is no map, or one of no slot.
    """
    try:
        rows = [
            (first, last, _place(primary, said_by), [n for n in nodes if n[0] != _UNKNOWN.encode()])
            for first, last, primary, *nodes in reply
        ]
        replicas = [_place(node, said_by) for *_, nodes in rows for node in nodes]
        ranges = sorted((first, last, place) for first, last, place, _ in rows)
    except (TypeError, IndexError, ValueError) as error:
        why = error if type(error) is ValueError else "no list of slots and nodes"
        raise ConnectionError(f"its answer to CLUSTER SLOTS is malformed: {why}") from None
    if not _are_apart(ranges):
        raise ConnectionError("its answer to CLUSTER SLOTS is malformed: no slots, or they overlap")
    if not ranges:
        raise ConnectionError("it knows of no slot; it is no part of a cluster, or not yet")
    primaries = {place for _, _, place in ranges}
    others = tuple(sorted({*replicas} - primaries))
    if len(primaries) + len(others) > MOST_NODES:
        raise ConnectionError(f"it names more than {MOST_NODES} nodes")
    return SlotMap(tuple(ranges), others)


def place_of(host: str, port: int, said_by: Place) -> Place:
    """Return the place that a node names; no host is the one that it was asked at.

    Raises:
        ValueError: it is none.
    """
    if host == _UNKNOWN:
        raise ValueError(
            "it prefers to be called by its host name, and has none; write "
            "cluster-announce-hostname in its configuration"
        )
    if not 0 < port < 65_536:
        raise ValueError("no port")
    if host and not _HOST.fullmatch(host):
        raise ValueError("no host")
    return host or said_by[0], port


def _place(node: Any, said_by: Place) -> Place:
    """Return where a node of the answer is: ``[host, port, id, ...]``."""
    host, port = node[0], node[1]
    if not (host is None or type(host) is bytes) or type(port) is not int:
        raise TypeError
    return place_of("" if host is None else host.decode("ascii"), port, said_by)


def _are_apart(ranges: list[tuple[Any, Any, Place]]) -> bool:
    free = 0
    for first, last, _ in ranges:
        if not (type(first) is type(last) is int and free <= first <= last < SLOTS):
            return False
        free = last + 1
    return True


def migrations(nodes: bytes, said_by: Place) -> list[tuple[int, Place]]:
    """Return the slots that a node is handing over, and to whom, as it says in CLUSTER NODES.

    Whoever has no address there, as a node that was replaced, is the one that was asked.
    """
    rows = [line.split() for line in nodes.decode("utf-8", "replace").splitlines()]
    rows = [row for row in rows if len(row) > 2]
    own = [row for row in rows if "myself" in row[2].split(",")]
    by_name = any(_name_in_row(row[1]) == said_by[0] for row in own)
    places = {row[0]: _place_in_row(row[1], said_by, by_name=by_name) for row in rows}
    found = []
    for text in (text for row in own for text in row[8:]):
        match = _MIGRATING.fullmatch(text)
        if match is not None and match[2] in places:
            found.append((int(match[1]), places[match[2]]))
    return found


def _place_in_row(text: str, said_by: Place, *, by_name: bool) -> Place:
    """Return the place in a row: ``host:port@bus,hostname``, and more behind it."""
    host, _, port = text.partition("@")[0].rpartition(":")
    name = _name_in_row(text) if by_name else ""
    try:
        return place_of(name or host, int(port), said_by)
    except ValueError:
        return said_by


def _name_in_row(text: str) -> str:
    """Return the host name of a node in a row; empty where it announces none."""
    return (*text.split(","), "")[1]
