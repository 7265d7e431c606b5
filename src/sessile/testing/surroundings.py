"""Tell what happened around a fault that ``testing.history`` found, so that its cause can be read.

Pure. Every line is one operation of those who had to do with it; a ticket shows its id alone.
"""

from collections.abc import Iterable
from typing import Final

from sessile.testing.history import HistoryFault, Operation, Sight, Verb

MOST: Final = 40
"""Operations that are told of one fault."""

BEFORE: Final = 10
"""Operations that are told of before the first one that a fault is about."""

_NAMES_USER: Final = frozenset((Verb.LOGIN, Verb.END_ALL))


def surroundings(
    fault: HistoryFault, operations: Iterable[Operation], *, most: int = MOST
) -> list[str]:
    """Return a line for each operation of the fault's clients, and of others that end sessions.

    They begin some operations before the first that the fault is about, in the order in which they
    were sent; where that is too much, both ends are kept.

    Args:
        fault: what was found.
        operations: the history it was found in, in any order.
        most: how many lines.
    """
    first = min(each.began for each in fault.about)
    last = max(each.ended for each in fault.about)
    clients = {each.client for each in fault.about}
    there = sorted(operations, key=lambda one: one.began)
    users = {each.given for each in there if each.verb is Verb.LOGIN and each.client in clients}
    near = [
        each
        for each in there
        if each.began <= last
        and (each.client in clients or (each.verb in _NAMES_USER and each.given in users))
    ]
    begin = sum(each.ended < first for each in near)
    near = near[max(begin - BEFORE, 0) :]
    marked = [("> " if each in fault.about else "  ") + describe(each) for each in near]
    if len(marked) <= most:
        return marked
    half = most // 2
    return [*marked[:half], f"  ... {len(marked) - 2 * half} more", *marked[-half:]]


def describe(operation: Operation) -> str:
    """Return the line that tells of an operation."""
    sight, believed = operation.sight, operation.life or "none"
    seen = (
        "nothing" if sight is None else f"{sight.life or 'none'} of {sight.user} with {_sum(sight)}"
    )
    handed = f", got {operation.got}" if operation.got else ""
    return f"{operation}; showed {operation.ticket or 'none'}{handed}; in {believed}, saw {seen}"


def _sum(sight: Sight) -> str:
    return f"{len(sight.items)} items, count {sight.count}, keys {sorted(sight.values.values())}"
