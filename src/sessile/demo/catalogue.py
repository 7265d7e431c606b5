"""What the shop sells, and for how much. ``cart`` keeps what was chosen."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Currency(Enum):
    """How prices are shown; the rates are made up."""

    EUR = "EUR"
    USD = "USD"
    GBP = "GBP"

    def show(self, cents: int) -> str:
        """Return an amount, given in euro cents, as a person reads it."""
        sign, rate = _MONEY[self]
        return f"{sign}{cents * rate / 100:.2f}"


_MONEY: Final = {
    Currency.EUR: ("€", 1.0),
    Currency.USD: ("$", 1.1),
    Currency.GBP: ("£", 0.85),
}


@dataclass(frozen=True, slots=True)
class Item:
    """Something for sale; its key names its picture as well."""

    key: str
    name: str
    cents: int


ITEMS: Final = {
    item.key: item
    for item in (
        Item("socks", "Anemone socks", 900),
        Item("mug", "Barnacle mug", 1400),
        Item("magnet", "Limpet magnet", 450),
        Item("tote", "Mussel tote", 1900),
        Item("lamp", "Coral lamp", 5900),
        Item("sponge", "Bath sponge", 700),
    )
}
"""All of it lives fixed to one place. Sessions need not."""
