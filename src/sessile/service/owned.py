"""Gather something from all records of an owner, page by page; others have their turn between."""

from collections.abc import Callable
from typing import TypeVar

from sessile.service.context import Context
from sessile.stores.contract import Corrupt, Record
from sessile.wire.pause import pause

T = TypeVar("T")


async def gather_owned(
    context: Context,
    owner: str,
    pick: Callable[[Record | Corrupt], T | None],
    most: int | None = None,
) -> list[T]:
    """Gather from each of an owner's records, oldest login first.

    Args:
        context: the collaborators.
        owner: whose.
        pick: takes something of each, or None; no record is kept.
        most: stop with the page that brings so many.
    """
    found: list[T] = []
    cursor: str | None = None
    while True:
        page = await context.store.owned_by(owner, cursor)
        found += [taken for one in page.records if (taken := pick(one)) is not None]
        cursor = page.cursor
        if cursor is None or (most is not None and len(found) >= most):
            return found
        await pause()
