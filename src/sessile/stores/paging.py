"""Pages of records, bounded in number and in bytes. For ``memory`` and ``sqlite``."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from sessile.stores.contract import PAGE_BYTES

R = TypeVar("R")


def cut(rows: Iterable[R], size: Callable[[R], int], batch: int) -> tuple[list[R], bool]:
    """Return a page of rows, and whether there may be more.

    Args:
        rows: no more of them are taken than the page has.
        size: the bytes of one.
        batch: how many, at most.
    """
    page: list[R] = []
    total = 0
    for row in rows:
        page.append(row)
        total += size(row)
        if len(page) >= batch or total >= PAGE_BYTES:
            return page, True
    return page, False
