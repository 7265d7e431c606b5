"""The cart inside a session. Pure over the mapping; ``routes.cart`` serves it.

It is a list with one entry for each piece, because two servers that append to one list at once
both keep their piece, while of two that set one number the later wins.
"""

from collections import Counter
from collections.abc import MutableMapping
from typing import Final, cast

from sessile.core.value import Value
from sessile.demo.catalogue import ITEMS, Item

ROOM: Final = 60
"""Pieces that fit, so that nobody grows a session without end."""


def contents(session: MutableMapping[str, Value]) -> Counter[Item]:
    """Return how many of each item are in the cart, in the order they came in."""
    return Counter(ITEMS[key] for key in _pieces(session))


def add(session: MutableMapping[str, Value], item: Item) -> bool:
    """Put one piece in; False when the cart is full."""
    pieces = cast("list[str]", session.setdefault("cart", []))
    if len(pieces) >= ROOM:
        return False
    pieces.append(item.key)  # a nested change: nobody has to say that the session was modified
    return True


def remove(session: MutableMapping[str, Value], item: Item) -> bool:
    """Take one piece out; False when there was none."""
    pieces = _pieces(session)
    if item.key not in pieces:
        return False
    pieces.remove(item.key)
    return True


def _pieces(session: MutableMapping[str, Value]) -> list[str]:
    return cast("list[str]", session.get("cart", []))
