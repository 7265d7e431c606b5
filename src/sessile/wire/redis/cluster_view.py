"""Who has which slot, as one node of a Redis Cluster sees it: CLUSTER NODES. Pure.

``redis.slots`` reads CLUSTER SLOTS, which leads clients to the nodes. This one says more: whether a
node is well, how often slots changed hands, and, of the node itself, what it is handing over.
"""

import re
from collections.abc import Collection
from typing import Final

import msgspec

from sessile.wire.redis.slots import MOST_NODES, SLOTS, Place, migrations

_RANGE: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_LEAST_WORDS: Final = 8
_ILL: Final = frozenset(("fail", "fail?", "handshake", "noaddr"))


class SlotOwner(msgspec.Struct, frozen=True, order=True):
    """A node that has slots.

    Attributes:
        id: its own, for ever.
        epoch: another one after each fail-over, and when it was given slots: one that lost a slot
            and has it again is another owner.
        ranges: first and last of its slots.
    """

    id: str
    epoch: str
    ranges: tuple[tuple[int, int], ...]


class ClusterView(msgspec.Struct, frozen=True):
    """What one node sees.

    Attributes:
        id: the node's.
        owners: all nodes that have slots, in the order of their ids.
        leaving: the slots that the node itself is handing over, and where to.
        is_well: whether it takes every owner to be well.
    """

    id: str
    owners: tuple[SlotOwner, ...]
    leaving: tuple[tuple[int, Place], ...]
    is_well: bool


class Topology(msgspec.Struct, frozen=True):
    """Who has which slot, as all agree that have any.

    Attributes:
        owners: as of a view.
        leaving: as of the views of all together.
    """

    owners: tuple[SlotOwner, ...] = ()
    leaving: tuple[tuple[int, Place], ...] = ()

    @property
    def ids(self) -> set[str]:
        """The nodes that have slots."""
        return {owner.id for owner in self.owners}

    @property
    def targets(self) -> set[Place]:
        """Where slots are handed over to; keys of theirs are changed there already."""
        return {place for _, place in self.leaving}

    def find_moves(self, before: "Topology") -> frozenset[int]:
        """Return the slots whose keys may have been changed elsewhere than they were before."""
        pairs = zip(self.changers(), before.changers(), strict=True)
        return frozenset(slot for slot, (now, then) in enumerate(pairs) if now != then)

    def changers(self) -> list[tuple[object, ...]]:
        """Return, of each slot, by whom its keys are changed."""
        found: list[tuple[object, ...]] = [()] * SLOTS
        for owner in self.owners:
            for first, last in owner.ranges:
                found[first : last + 1] = [(owner.id, owner.epoch)] * (last + 1 - first)
        for slot, place in self.leaving:
            found[slot] += (place,)
        return found


def parse_view(nodes: object, said_by: Place) -> ClusterView:
    """Return the view in an answer to CLUSTER NODES.

    Raises:
        ConnectionError: that is none.
    """
    said = nodes if isinstance(nodes, bytes) else b""
    rows = [line.split() for line in said.decode("utf-8", "replace").splitlines()]
    rows = [row for row in rows if len(row) >= _LEAST_WORDS]
    ids = [row[0] for row in rows if "myself" in row[2].split(",")]
    if len(ids) != 1 or len(rows) > MOST_NODES:
        raise ConnectionError("its answer to CLUSTER NODES is malformed")
    owners, is_well = [], True
    for id_, _, text, _, _, _, epoch, _, *slots in rows:
        ranges = tuple(_range(each) for each in slots if not each.startswith("["))
        if ranges:
            flags = set(text.split(","))
            owners.append(SlotOwner(id_, epoch, ranges))
            is_well = is_well and "master" in flags and not flags & _ILL
    leaving = tuple((slot, place) for slot, place in migrations(said, said_by) if slot < SLOTS)
    return ClusterView(ids[0], tuple(sorted(owners)), leaving, is_well)


def agree(views: Collection[ClusterView]) -> Topology | None:
    """Return the topology in all views; None where they differ, or an owner is seen to be ill."""
    first, *_ = views
    if not all(view.is_well and view.owners == first.owners for view in views):
        return None
    return Topology(first.owners, tuple(sorted(move for view in views for move in view.leaving)))


def _range(text: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(text)
    first, last = (0, SLOTS) if match is None else (int(match[1]), int(match[2] or match[1]))
    if not first <= last < SLOTS:
        raise ConnectionError("its answer to CLUSTER NODES is malformed: no range of slots")
    return first, last
