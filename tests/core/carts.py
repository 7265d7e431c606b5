"""One cart as three kinds of class, and what a store holds after rivals changed it."""

from dataclasses import dataclass, field

import msgspec
import pydantic

from core.mapping import CODEC
from sessile.core.mapping import Values
from sessile.core.merge import merge

EMPTY = {"items": [], "note": "", "currency": "EUR"}


@dataclass
class DataCart:
    items: list[str] = field(default_factory=list)
    note: str = ""
    currency: str = "EUR"


class StructCart(msgspec.Struct):
    items: list[str] = []
    note: str = ""
    currency: str = "EUR"


class ModelCart(pydantic.BaseModel):
    items: list[str] = []
    note: str = ""
    currency: str = "EUR"


KINDS = {"dataclass": DataCart, "Struct": StructCart, "pydantic": ModelCart}


def seen(values, kind, version=1, upgrade=None):
    """Return the view of a cart."""
    return values.view(kind, "cart", version, upgrade)


def together(base, kind, *rivals, version=1, upgrade=None):
    """Return what the store holds after rivals changed a cart at the same time, in that order."""
    base = {key: CODEC.encode(value) for key, value in base.items()}
    deltas = []
    for change in rivals:
        values = Values(base, CODEC)
        change(seen(values, kind, version, upgrade))
        deltas.append(values.delta())
    now = base
    for delta in deltas:
        merged = merge(base, now, delta, CODEC)
        now = {k: blob for k, blob in now.items() if k not in merged.removed} | merged.set
    return {key: CODEC.decode(blob) for key, blob in now.items()}


def go_on(values, **theirs):
    """Save, and go on from what the store holds then, as a WebSocket does."""
    values.delta()
    values.rebase({key: CODEC.encode(value) for key, value in theirs.items()})


@dataclass
class MiniCart:
    items: list[int] = field(default_factory=list)
    note: str = ""
